"""The usage page as it is shown, worked out once for all tabs that show the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from portal.features.usage.chart import chart_spec
from portal.features.usage.choices import RANGES, SHOWN, TIMES, UsageChoice, split_name
from portal.features.usage.drawing import Drawing, drawing
from portal.features.usage.figures import Figures
from portal.features.usage.measured import shown_as
from portal.features.usage.question import UsageQuestion
from portal.features.usage.rows import (
    LegendEntry,
    TableRow,
    change_in_words,
    group_name,
    ids_in,
    usage_table,
)
from portal.kit.chart_look import SHORT_NUMBER
from portal.kit.formatting import SYMBOLS, compact, meter_name
from portal.kit.vega_chart import PackedRows, packed

EVENTS = frozenset({"tokens", "requests", "cost", "errors"})
"""What is counted of events, which a bar leads to."""


@dataclass(frozen=True)
class Picture:
    """The chart, its legend, and the same in numbers."""

    spec: dict[str, Any]
    rows: PackedRows
    legend: list[LegendEntry]
    table_head: list[str]
    table: list[TableRow]
    table_more: int
    heading: str
    total: str
    change: str
    description: str
    leads_to_events: bool


def picture_of(
    shown: Figures,
    question: UsageQuestion,
    choice: UsageChoice,
    names: Mapping[str, str],
    own_zone: str,
) -> Picture:
    """The picture of what was measured; ``names`` are those of applications and keys.

    The answer keeps it, for the other tabs that get the same answer.
    """
    named = {id_: names.get(id_, "") for id_ in ids_in(shown.measured, choice.splits)}
    key = (own_zone, frozenset(named.items()))
    if key not in shown.pictures:
        shown.pictures[key] = _picture(shown, question, choice, names, own_zone)
    picture: Picture = shown.pictures[key]
    return picture


def _picture(
    shown: Figures,
    question: UsageQuestion,
    choice: UsageChoice,
    names: Mapping[str, str],
    own_zone: str,
) -> Picture:
    measured, is_time = shown.measured, choice.show in TIMES
    is_cost = choice.show == "cost"
    in_words = shown_as(choice.show, measured.currency)
    short = shown_as("cost", measured.currency, short=True) if is_cost else compact
    drawn = drawing(
        measured,
        splits=choice.splits,
        names=partial(group_name, names),
        shown=in_words,
        adds_up=not is_time,
        before=shown.before,
        own_zone=own_zone,
    )
    unit = meter_name(choice.meter) if choice.meter else SHOWN[choice.show]
    divided = ", ".join(split_name(split).lower() for split in choice.splits)
    series = "; ".join(f"{s.name} {in_words(s.total)}" for s in drawn.series) or "none"
    head, table, more = usage_table(
        drawn, measured, shown=in_words, nothing="–" if is_time else "0"
    )
    total = shown.total
    return Picture(
        spec=_spec(drawn, shown, question, choice, unit),
        rows=packed(drawn.rows) if drawn.table else [],
        legend=[
            LegendEntry(series.name, series.color, "" if is_time else short(series.total))
            for series in drawn.series
        ],
        table_head=head,
        table=table,
        table_more=more,
        heading=f"{unit}, 95th percentile" if is_time else unit,
        total="–" if total is None else (short if is_cost else in_words)(total),
        change=change_in_words(total, shown.total_before),
        description=(
            f"{unit} in: {RANGES[choice.range].lower()}, {divided}: {series}. "
            "The table below has the numbers."
        ),
        leads_to_events=choice.show in EVENTS,
    )


def _spec(
    drawn: Drawing, shown: Figures, question: UsageQuestion, choice: UsageChoice, unit: str
) -> dict[str, Any]:
    # Events have the status as a label
    status = "failed" if choice.show == "errors" else choice.status
    of_status = {"label": f"status={status}"} if status and not choice.label else {}
    filters = {name: value for name, value in choice.filters.items() if name != "status"}
    return chart_spec(
        drawn.series,
        start=question.start,
        end=question.end,
        granularity=question.granularity,
        time_zone=shown.measured.time_zone,
        unit=unit,
        splits=choice.splits,
        filters={**filters, **of_status},
        lines=choice.show in TIMES,
        number=_axis_number(choice.show, shown.measured.currency),
        events=choice.show in EVENTS,
    )


def _axis_number(show: str, currency: str) -> str:
    """How the axis reads, as an expression of Vega's."""
    if show in TIMES:
        return "datum.value < 1 ? format(datum.value * 1000, '.3~r') + ' ms' : datum.value + ' s'"
    if show == "cost":
        return f"'{SYMBOLS.get(currency, '')}' + format(datum.value, ',.6~f')"
    return SHORT_NUMBER
