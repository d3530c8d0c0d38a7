"""What a provider billed against what was metered: imports, discrepancies, margin."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, field_validator, model_validator

from backend_client.types.common import Answer, Currency, Exact, Instant, Wire
from backend_client.types.events import MeterName, Name


class ExportFormat(StrEnum):
    """The formats that are understood. Without one, a file's own shape decides."""

    OPENAI_USAGE_JSON = "openai-usage-json"
    OPENAI_COSTS_JSON = "openai-costs-json"
    OPENAI_USAGE_CSV = "openai-usage-csv"
    OPENAI_COSTS_CSV = "openai-costs-csv"
    ANTHROPIC_USAGE_JSON = "anthropic-usage-json"
    ANTHROPIC_COST_JSON = "anthropic-cost-json"
    CSV = "csv"


Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class CsvMapping(Wire):
    """Which columns of a CSV file mean what.

    Either ``quantities`` (a column for each meter) or ``meter`` and ``quantity`` (a row for each),
    or an ``amount`` alone. ``unit_size`` is how many units one in the file stands for: 1000 for a
    file in thousands of tokens. Every other column of the file must be named in ``ignore``.
    """

    day: Column = Field(description="A day (2026-03-01) or an instant (RFC 3339)")
    model: Column
    quantities: dict[MeterName, Column] = {}
    meter: Column | None = None
    quantity: Column | None = None
    meters: dict[Column, MeterName] = Field({}, description="The file's words for meters")
    amount: Column | None = None
    currency: Column | None = None
    amount_currency: Currency | None = None
    unit_size: int = Field(1, ge=1, le=1_000_000_000)
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    ignore: list[Column] = []

    @model_validator(mode="after")
    def _says_what_is_counted(self) -> Self:
        if (self.meter is None) != (self.quantity is None):
            raise ValueError("meter and quantity go together")
        if self.quantities and self.meter is not None:
            raise ValueError("give either quantities or meter and quantity")
        if not self.quantities and self.meter is None and self.amount is None:
            raise ValueError("name a column of quantities or amounts")
        if self.amount is not None and (self.currency is None) == (self.amount_currency is None):
            raise ValueError("amounts need either currency or amount_currency")
        if self.amount is not None and self.quantities:
            raise ValueError("an amount belongs to one meter: use meter and quantity")
        return self


class Tolerance(Wire):
    """A difference up to the larger of the two is none.

    ``relative`` is a part of the larger side; ``units`` are of the meter, ``amount`` of the money.
    """

    relative: Exact = Field(Decimal("0.001"), ge=0, le=1)
    units: Exact = Field(Decimal(0), ge=0)
    amount: Exact = Field(Decimal("0.01"), ge=0)


class ReconciliationOptions(Wire):
    """How to read an export, and what to hold it against.

    ``models`` says which model of the catalog a provider's name stands for, where neither
    FAREBOX_UPSTREAMS nor the name itself does. ``time_zone`` is whose days the export counts in.
    ``ignore_fields`` names members that the export has and Farebox should not look at.
    """

    provider: Name
    format: ExportFormat | None = None
    time_zone: str = "UTC"
    models: dict[Name, Name] = Field({}, max_length=1_000)
    ignore_fields: list[Name] = Field([], max_length=100)
    mapping: CsvMapping | None = None
    tolerance: Tolerance = Tolerance()

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not a time zone of the IANA database") from None
        return value


class DiscrepancyKind(StrEnum):
    """What differs: a quantity of a meter, or an amount of money."""

    QUANTITY = "quantity"
    AMOUNT = "amount"


class DiscrepancyStatus(StrEnum):
    """A person's verdict on it."""

    OPEN = "open"
    EXPLAINED = "explained"
    ACCEPTED = "accepted"


class DiscrepancyCause(StrEnum):
    """Its most likely cause. ``settled``: a later match found no difference any more."""

    MISSING_EVENTS = "missing_events"
    RETRIES_BILLED_TWICE = "retries_billed_twice"
    CACHED_AS_FRESH = "cached_as_fresh"
    TIME_ZONE_CUT = "time_zone_cut"
    RATE_CHANGE = "rate_change"
    QUANTITY_DIFFERS = "quantity_differs"
    OTHER_NAME = "other_name"
    METERED_ONLY = "metered_only"
    NO_RATE = "no_rate"
    UNKNOWN = "unknown"
    SETTLED = "settled"


class DiscrepancyNote(Answer):
    """What somebody said of a discrepancy, and what its status was from then on."""

    at: Instant
    actor: str
    status: DiscrepancyStatus
    text: str


class Discrepancy(Answer):
    """A day, model and meter on which the provider and Farebox differ.

    ``difference`` is ``provider - metered``: above zero the provider counted or billed more. For
    an amount, ``metered`` is what the metered quantity costs at the known rates, null if a rate is
    not known. A model or meter ``*`` is all of them together.
    """

    id: str
    day: date
    model: str
    meter: str
    kind: DiscrepancyKind
    currency: str | None
    provider: Exact
    metered: Exact | None
    difference: Exact
    cause: DiscrepancyCause
    explanation: str
    status: DiscrepancyStatus
    notes: list[DiscrepancyNote] = []


class DiscrepancyChange(Wire):
    """Set what a person makes of it. A note says why."""

    status: DiscrepancyStatus
    note: Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]


class MeterTotal(Answer):
    """A meter over all days and models of an import."""

    meter: str
    provider: Exact
    metered: Exact


class Reconciliation(Answer):
    """An import of a provider's export and its comparison with what was metered.

    ``matched`` counts the days, models and meters that agree within the tolerance. Days are those
    of ``time_zone``; ``last_day`` is inclusive.
    """

    id: str
    provider: str
    format: ExportFormat
    file_name: str
    content_hash: str
    time_zone: str
    first_day: date
    last_day: date
    currency: str | None
    entries: int
    created_at: Instant
    created_by: str
    matched_at: Instant
    matched: int
    open: int
    explained: int
    accepted: int
    billed: Exact | None
    expected: Exact | None
    totals: list[MeterTotal]
    options: ReconciliationOptions


class MarginRow(Answer):
    """What a tenant's use of a model brought and cost in its billing period, in one currency.

    Fees, minimums and discounts belong to no model: theirs is ``*``. ``cost`` is null where the
    rate of a meter in ``unrated`` is not known, or is in another currency.
    """

    tenant: str
    model: str
    start: Instant
    end: Instant
    currency: Currency
    revenue: Exact
    cost: Exact | None
    margin: Exact | None
    margin_ratio: Exact | None
    unrated: list[str] = []


class MarginReport(Answer):
    """Margin by tenant and model, in the billing periods that hold ``at``; a page of tenants.

    Charges with tiers or included units are split over the models by their quantities.
    """

    at: Instant
    cost_currency: Currency
    rows: list[MarginRow]
    next_cursor: str | None = None
