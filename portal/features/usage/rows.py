"""The usage chart in rows: its legend, its table, and what it is compared with. Plain functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from backend_client.types.usage import Granularity
from portal.features.usage.drawing import Drawing, bucket_name
from portal.features.usage.measured import Measured
from portal.kit.formatting import count, meter_name

TABLE_ROWS = 100
CAUSES = {
    "": "None",
    "requests_per_minute": "Requests a minute",
    "tokens_per_minute": "Tokens a minute",
    "concurrent_requests": "Requests at a time",
    "insufficient_quota": "Quota of the plan",
    "key_budget_exhausted": "Budget of the key",
    "application_budget_exhausted": "Budget of the application",
    "label_budget_exhausted": "Budget of a label",
    "insufficient_credit": "Credit",
    "payment_overdue": "Overdue payment",
    "model_not_found": "Unknown model",
    "model_not_in_plan": "Model not in the plan",
    "no_usable_plan": "No plan",
    "context_length_exceeded": "Prompt too long",
    "invalid_request": "Request not valid",
    "upstream_refused": "Refused by the provider",
    "upstream_failed": "The provider failed",
    "upstream_busy": "The provider is busy",
}
"""Why calls fail or are refused; others read as their code's words."""


@dataclass(frozen=True)
class LegendEntry:
    """A series of the chart."""

    name: str
    color: str
    total: str


@dataclass(frozen=True)
class TableRow:
    """A time bucket of the table beside the chart."""

    when: str
    cells: list[str]


def usage_table(
    drawn: Drawing,
    measured: Measured,
    *,
    shown: Callable[[Decimal], str] = count,
    nothing: str = "0",
) -> tuple[list[str], list[TableRow], int]:
    """What is drawn as a table, newest first: its heads, its rows, and how many were left out."""
    heads = [series.name for series in drawn.series]
    cells: dict[datetime, dict[str, str]] = {}
    for start, name, value in drawn.table:
        cells.setdefault(start, {})[name] = shown(value)
    newest = sorted(cells, reverse=True)
    rows = [
        TableRow(
            bucket_name(start, measured.granularity, measured.time_zone),
            [cells[start].get(name, nothing) for name in heads],
        )
        for start in newest[:TABLE_ROWS]
    ]
    return heads, rows, max(0, len(newest) - TABLE_ROWS)


def group_name(names: Mapping[str, str], dimension: str, id_: str) -> str:
    """What a group of a dimension is called."""
    match dimension:
        case "meter":
            return meter_name(id_)
        case "cause":
            return CAUSES.get(id_, id_.replace("_", " ").capitalize())
        case "percentile":
            return f"{id_[1:]}%"
        case "model" | "upstream":
            return id_ or "–"
        case "key":
            return names.get(id_, id_ or "–")
        case _:
            return names.get(id_, id_) if id_ else "–"


def ids_in(measured: Measured, splits: Iterable[str]) -> set[str]:
    """The ids of what has a name of its own."""
    places = [place for place, split in enumerate(splits) if split in {"application", "key"}]
    return {point.groups[place] for point in measured.points for place in places} - {""}


def moved(measured: Measured, since: datetime, to: datetime) -> list[tuple[datetime, Decimal]]:
    """Points of the time before, moved to the buckets that they are compared with, in order.

    Months are no equal times, and are compared in all alone.
    """
    if measured.granularity in {Granularity.MONTH, Granularity.TOTAL}:
        return []
    zone = ZoneInfo(measured.time_zone)
    fine = measured.granularity in {Granularity.QUARTER_HOUR, Granularity.HOUR}
    # By the calendar: a day that changes the clock is a day
    local_since, local_to = (each.astimezone(zone).replace(tzinfo=None) for each in (since, to))
    sums: dict[datetime, Decimal] = {}
    for point in measured.points:
        start = (
            point.start + (to - since)
            if fine
            else point.start.astimezone(zone) + (local_to - local_since)
        )
        sums[start] = sums.get(start, Decimal(0)) + point.value
    return sorted(sums.items())


def change_in_words(now: Decimal | None, before: Decimal | None) -> str:
    """How much more or less of something there is than was in the time before."""
    if not before:
        return "none in the time before" if now else ""
    percent = ((now or Decimal(0)) / before - 1) * 100
    if abs(percent) < Decimal("0.5"):
        return "as much as in the time before"
    return f"{'+' if percent > 0 else '−'}{abs(percent):,.0f}% on the time before"
