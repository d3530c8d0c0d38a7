"""Policies, usage and invoices to divide, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

from backend.chargeback.rules.allocation import Allocation
from backend.chargeback.rules.documents import CostDocument, CostKey, CostLine, Entry, shared_cost
from backend.chargeback.rules.timeline import Timeline
from backend.chargeback.rules.usage import PeriodUsage, UsageCell, period_usage
from backend.invoices.rules.lines import Item
from backend.pricing.charges.rate_card import AttributedQuantity, MeteredQuantity
from backend_client.types.chargeback import Policy
from backend_client.types.plans import PlanDefinition

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
MAY = datetime(2026, 5, 1, tzinfo=UTC)
JANUARY = date(2026, 1, 1)
ENDS = {MARCH: APRIL, APRIL: MAY}

PLAN = PlanDefinition.model_validate(
    {
        "id": "paid",
        "name": "Paid",
        "charges": [
            {"id": "fee", "name": "Fee", "kind": "flat", "price": "100"},
            {
                "id": "input",
                "name": "Input",
                "kind": "per_unit",
                "meters": ["input_tokens"],
                "price": "1",
            },
            {
                "id": "output",
                "name": "Output",
                "kind": "per_unit",
                "meters": ["output_tokens"],
                "price": "2",
            },
        ],
    }
)


def policy_of(*centers: str, **changes: object) -> Policy:
    """A company of departments with cost centers: ``eng/search`` is a cost center of ``eng``.

    Usage of an application goes to the cost center of its name.
    """
    units: dict[str, dict[str, object]] = {}
    for center in centers:
        *above, code = center.split("/")
        for place, department in enumerate(above):
            units[department] = {
                "code": department,
                "name": department.title(),
                "kind": "department",
                "parent": above[place - 1] if place else None,
            }
        units[code] = {"code": code, "name": code.title(), "parent": above[-1] if above else None}
    rules = [
        {"application": center.split("/")[-1]} | {"to": center.split("/")[-1]} for center in centers
    ]
    return Policy.model_validate({"units": list(units.values()), "rules": rules} | changes)


def used_by(
    timeline: Timeline,
    quantities: Mapping[str, int | Decimal],
    *,
    start: datetime = MARCH,
    meter: str = "input_tokens",
    labels: Mapping[str, str] | None = None,
) -> PeriodUsage:
    """What applications used of the plan's charge for input, evenly over a month's policies."""
    reigns = timeline.over(start, ENDS[start])
    return period_usage(
        UsageCell(
            PLAN,
            1,
            reign,
            [
                AttributedQuantity(
                    application,
                    "",
                    MeteredQuantity(
                        "large",
                        meter,
                        Decimal(quantity) / len(reigns),
                        labels=tuple(sorted((labels or {}).items())),
                    ),
                )
                for application, quantity in quantities.items()
            ],
        )
        for reign in reigns
    )


def line(
    item: str,
    amount: str | Decimal,
    *,
    kind: str = "charge",
    start: datetime = MARCH,
    quantity: Decimal | None = None,
    series: str = "",
    number: int = 1,
) -> CostLine:
    plan = ("paid", 1) if kind in ("charge", "discount", "minimum", "trial") else (None, None)
    key = CostKey(start, ENDS[start], Item(kind, *plan, item), None, series)
    shared = shared_cost(kind, flat=item == "fee")
    return CostLine(number, key, item.title(), Decimal(amount), quantity, shared)


def invoice(
    *lines: CostLine,
    month: datetime = MARCH,
    number: str = "FB-1",
    taxes: Sequence[tuple[str, Decimal]] = (),
) -> CostDocument:
    return CostDocument(f"inv_{number}", number, f"inv_{number}", month, ENDS[month], lines, taxes)


def divided(
    policies: Mapping[date, Policy],
    usage: Mapping[str, int | Decimal],
    *documents: CostDocument,
    currency: str = "USD",
) -> list[Entry]:
    """The entries of March's documents."""
    timeline = Timeline(policies.items(), "UTC")
    allocation = Allocation(MARCH, currency, timeline, {MARCH: used_by(timeline, usage)})
    for document in documents:
        allocation.add(document)
    return allocation.entries


def by_place(entries: Sequence[Entry]) -> dict[str, Decimal]:
    """What each place bears, tax included, by its path."""
    sums: dict[str, Decimal] = {}
    for entry in entries:
        path = "/".join(entry.path)
        sums[path] = sums.get(path, Decimal(0)) + entry.amount
    return {path: amount for path, amount in sums.items() if amount}


def weights(**parts: int) -> dict[tuple[str, ...], Fraction]:
    return {(name,): Fraction(part) for name, part in parts.items()}
