"""A month as a dataset in the FinOps Open Cost and Usage Specification (FOCUS).

A version of the specification is a list of columns: adding a version is adding its columns. Version
1.3 adds to 1.2 ``ServiceProviderName`` and ``HostProviderName``, which take over from
``ProviderName`` and ``PublisherName`` (these stay, deprecated), and ``Allocated…`` for split costs,
for which an entry would have to say by which rule it was split. The sums of ``BilledCost`` by
``InvoiceId`` are those of the invoices. What the specification has no column for is in columns that
begin with ``x_``.

Columns that a provider has only on conditions which Farebox does not meet are left out: unit
prices (a tiered line has several), regions, resources, commitment discounts, tags (a row is not of
one label).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

from backend.chargeback.rules.documents import Entry
from backend.chargeback.rules.statements import Names
from backend.invoices.rules.lines import CHARGE, FROM_CREDIT
from backend.kit.spreadsheets import csv_text, spreadsheet_cell
from backend.pricing.periods import BillingPeriod
from backend_client.types.chargeback import SharedCost

Value: TypeAlias = str | Decimal | datetime | None

CREDITS: Final = FROM_CREDIT | {"trial", "coupon", "service_credit"}
"""Kinds of lines that are credits; other lines beside the charges are adjustments."""

_UNITS: Final = {"requests": "Requests", "images": "Images"}


@dataclass(frozen=True, slots=True)
class FocusMonth:
    """What the rows of a month have in common."""

    period: BillingPeriod
    currency: str
    account_id: str
    account_name: str
    seller: str
    names: Names


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, whether it may be empty, and how it is filled."""

    name: str
    value: Callable[[FocusMonth, Entry], Value]
    nullable: bool = False


def category(entry: Entry) -> str:
    """Return the ``ChargeCategory``: Usage, Purchase, Tax, Credit or Adjustment."""
    if entry.is_tax:
        return "Tax"
    kind = entry.key.item.kind
    if kind != CHARGE:
        return "Credit" if kind in CREDITS else "Adjustment"
    if entry.quantity is None and not entry.adjustment:
        return "Credit"  # a credit note within the month
    return "Purchase" if entry.shared is SharedCost.FEE else "Usage"


def _is_metered(entry: Entry) -> bool:
    return category(entry) in ("Usage", "Purchase") and entry.quantity is not None


def _unit(entry: Entry) -> str:
    """Return the unit, as the specification writes units."""
    if category(entry) == "Purchase":
        return "Fees"
    unit = entry.unit or ""
    if unit.endswith("tokens"):
        return "Tokens"
    return _UNITS.get(unit, unit.replace("_", " ").title() or "Units")


def _frequency(entry: Entry) -> str:
    kind = category(entry)
    if kind in ("Usage", "Tax"):
        return "Usage-Based"
    return "Recurring" if kind == "Purchase" else "One-Time"


def _sku(entry: Entry, *, with_version: bool) -> str | None:
    item = entry.key.item
    if item.kind != CHARGE:
        return None
    version = [str(item.plan_version)] if with_version else []
    return ":".join([item.plan or "", *version, item.item])


def _cost(_: FocusMonth, entry: Entry) -> Decimal:
    return entry.amount


def _quantity(entry: Entry) -> Decimal | None:
    return entry.quantity if _is_metered(entry) else None


FOCUS_1_2: Final[Sequence[Column]] = (
    Column("BilledCost", _cost),
    Column("BillingAccountId", lambda month, _: month.account_id),
    Column("BillingAccountName", lambda month, _: month.account_name),
    Column("BillingAccountType", lambda *_: "Tenant"),
    Column("BillingCurrency", lambda month, _: month.currency),
    Column("BillingPeriodEnd", lambda month, _: month.period.end),
    Column("BillingPeriodStart", lambda month, _: month.period.start),
    Column("ChargeCategory", lambda _, entry: category(entry)),
    Column(
        "ChargeClass", lambda _, entry: "Correction" if entry.adjustment else None, nullable=True
    ),
    Column("ChargeDescription", lambda _, entry: entry.name),
    Column("ChargeFrequency", lambda _, entry: _frequency(entry)),
    Column("ChargePeriodEnd", lambda _, entry: (entry.key.cut or _period(entry))[1]),
    Column("ChargePeriodStart", lambda _, entry: (entry.key.cut or _period(entry))[0]),
    Column(
        "ConsumedQuantity",
        lambda _, entry: _quantity(entry) if category(entry) == "Usage" else None,
        nullable=True,
    ),
    Column(
        "ConsumedUnit",
        lambda _, entry: (
            _unit(entry) if category(entry) == "Usage" and entry.quantity is not None else None
        ),
        nullable=True,
    ),
    Column("ContractedCost", _cost),
    Column("EffectiveCost", _cost),
    # None of what no invoice has asked for: the period still runs, or closed without one
    Column("InvoiceId", lambda _, entry: entry.number or None, nullable=True),
    Column("InvoiceIssuerName", lambda month, _: month.seller),
    Column("ListCost", _cost),
    Column(
        "PricingCategory",
        lambda _, entry: "Standard" if _is_metered(entry) else None,
        nullable=True,
    ),
    Column("PricingQuantity", lambda _, entry: _quantity(entry), nullable=True),
    Column(
        "PricingUnit", lambda _, entry: _unit(entry) if _is_metered(entry) else None, nullable=True
    ),
    Column("ProviderName", lambda month, _: month.seller),
    Column("PublisherName", lambda month, _: month.seller),
    Column("ServiceCategory", lambda *_: "AI and Machine Learning"),
    Column("ServiceName", lambda month, _: f"{month.seller} API"),
    Column("ServiceSubcategory", lambda *_: "Generative AI"),
    Column("SkuId", lambda _, entry: _sku(entry, with_version=False), nullable=True),
    Column(
        "SkuMeter",
        lambda _, entry: (entry.unit or "fee") if entry.key.item.kind == CHARGE else None,
        nullable=True,
    ),
    Column("SkuPriceId", lambda _, entry: _sku(entry, with_version=True), nullable=True),
    Column("SubAccountId", lambda _, entry: entry.path[-1] if entry.path else None, nullable=True),
    Column(
        "SubAccountName",
        lambda month, entry: month.names(entry.path[-1]) if entry.path else None,
        nullable=True,
    ),
    Column("SubAccountType", lambda _, entry: "Cost center" if entry.path else None, nullable=True),
    Column("x_ChargedCost", lambda _, entry: entry.charged),
    Column(
        "x_DepartmentPath",
        lambda month, entry: " / ".join(month.names(code) for code in entry.path[:-1]) or None,
        nullable=True,
    ),
)

FOCUS_VERSIONS: Final[Mapping[str, Sequence[Column]]] = {"1.2": FOCUS_1_2}


def focus_csv(month: FocusMonth, entries: Sequence[Entry], version: str = "1.2") -> str:
    """Write the entries of a month in a version of FOCUS, as CSV."""
    columns = FOCUS_VERSIONS[version]
    return csv_text(
        [column.name for column in columns],
        ([_written(column.value(month, entry)) for column in columns] for entry in entries),
    )


def _period(entry: Entry) -> tuple[datetime, datetime]:
    return entry.key.start, entry.key.end


def _written(value: Value) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%SZ}"
        case Decimal():
            return f"{value:f}"
        case _:
            return spreadsheet_cell(value)
