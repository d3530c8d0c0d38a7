"""Imports, discrepancies, margin and drift as rows. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from backend_client.types.drift import ModelDrift
from backend_client.types.reconciliation import (
    Discrepancy,
    DiscrepancyCause,
    DiscrepancyKind,
    MarginRow,
    Reconciliation,
)
from portal.kit.color import Color
from portal.kit.formatting import METER_NAMES, count, day, days, exact_money, fine_money

CAUSES = {
    DiscrepancyCause.MISSING_EVENTS: "Missing events",
    DiscrepancyCause.RETRIES_BILLED_TWICE: "Retries billed twice",
    DiscrepancyCause.CACHED_AS_FRESH: "Cached as fresh",
    DiscrepancyCause.TIME_ZONE_CUT: "Time-zone cut",
    DiscrepancyCause.RATE_CHANGE: "Rate change",
    DiscrepancyCause.QUANTITY_DIFFERS: "Quantity differs",
    DiscrepancyCause.OTHER_NAME: "Other name",
    DiscrepancyCause.METERED_ONLY: "Metered here only",
    DiscrepancyCause.NOT_USAGE: "No usage behind it",
    DiscrepancyCause.NO_RATE: "No rate known",
    DiscrepancyCause.UNKNOWN: "Unknown",
    DiscrepancyCause.SETTLED: "Settled",
}


COLORS: dict[str, Color] = {"open": "red", "explained": "blue", "accepted": "green"}


@dataclass(frozen=True)
class ImportRow:
    """An import as the list shows it."""

    id: str
    provider: str
    file_name: str
    days: str
    agree: str
    open: int
    decided: str
    billed: str
    served: str


@dataclass(frozen=True)
class DifferenceRow:
    """A discrepancy as the table shows it."""

    id: str
    day: str
    what: str
    provider: str
    metered: str
    difference: str
    cause: str
    explanation: str
    status: str
    color: Color
    notes: str


@dataclass(frozen=True)
class DriftLine:
    """A model's drift over the last month as the table shows it."""

    what: str
    reported: str
    counted: str
    drift: str
    alert: bool


@dataclass(frozen=True)
class MarginLine:
    """A customer's use of a model as the table shows it."""

    tenant: str
    model: str
    revenue: str
    cost: str
    margin: str
    loss: bool


def import_row(reconciliation: Reconciliation) -> ImportRow:
    """An import as the list shows it."""
    billed = ""
    if reconciliation.billed is not None and reconciliation.currency is not None:
        expectation = "rates unknown"
        if reconciliation.expected is not None:
            expectation = (
                f"expected {exact_money(reconciliation.expected, reconciliation.currency)}"
            )
        billed = f"{exact_money(reconciliation.billed, reconciliation.currency)}, {expectation}"
    return ImportRow(
        id=reconciliation.id,
        provider=reconciliation.provider,
        file_name=reconciliation.file_name or reconciliation.format.value,
        days=days(reconciliation.first_day, reconciliation.last_day),
        agree=count(reconciliation.matched),
        open=reconciliation.open,
        decided=count(reconciliation.explained + reconciliation.accepted),
        billed=billed,
        served=f"Served by {', '.join(reconciliation.upstreams)}"
        if reconciliation.upstreams
        else "",
    )


def difference_row(discrepancy: Discrepancy) -> DifferenceRow:
    """A discrepancy as the table shows it."""
    in_money = discrepancy.kind is DiscrepancyKind.AMOUNT and discrepancy.currency is not None

    def shown(value: Decimal) -> str:
        return exact_money(value, discrepancy.currency or "") if in_money else count(value)

    model = "All models" if discrepancy.model == "*" else discrepancy.model
    meter = (
        "cost"
        if discrepancy.meter == "*"
        else METER_NAMES.get(discrepancy.meter, discrepancy.meter).lower()
    )
    sign = "+" if discrepancy.difference > 0 else ""
    return DifferenceRow(
        id=discrepancy.id,
        day=day(discrepancy.day),
        what=f"{model}, {meter}",
        provider=shown(discrepancy.provider),
        metered="not known" if discrepancy.metered is None else shown(discrepancy.metered),
        difference=f"{sign}{shown(discrepancy.difference)}",
        cause=CAUSES[discrepancy.cause],
        explanation=discrepancy.explanation,
        status=discrepancy.status.value.capitalize(),
        color=COLORS[discrepancy.status.value],
        notes="\n".join(f"{day(note.at)}: {note.text}" for note in discrepancy.notes),
    )


def margin_line(row: MarginRow) -> MarginLine:
    """A customer's use of a model as the table shows it."""
    cost = margin = "rates unknown"
    if row.cost is not None and row.margin is not None:
        cost, margin = fine_money(row.cost, row.currency), fine_money(row.margin, row.currency)
        if row.margin_ratio is not None:
            margin += f" ({row.margin_ratio:.1%})"
    return MarginLine(
        tenant=row.tenant,
        model="Fees and discounts" if row.model == "*" else row.model,
        revenue=fine_money(row.revenue, row.currency),
        cost=cost,
        margin=margin,
        loss=row.margin is not None and row.margin < 0,
    )


def drift_line(model_drift: ModelDrift) -> DriftLine:
    """A model's drift as the table shows it."""
    drift = "nothing counted" if model_drift.ratio is None else f"{model_drift.ratio:+.2%}"
    meter = METER_NAMES.get(model_drift.meter, model_drift.meter).lower()
    return DriftLine(
        what=f"{model_drift.model}, {meter}",
        reported=count(model_drift.reported),
        counted=count(model_drift.counted),
        drift=drift,
        alert=model_drift.alert,
    )
