"""The usage page: a chart that follows the calls as they come in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from portal.features.usage.asking import Shown, ask
from portal.features.usage.chart import chart_spec
from portal.features.usage.choices import (
    MOST_LETTERS,
    OPERATOR_SPLITS,
    RANGES,
    SHOWN,
    SPLIT_NAMES,
    SPLITS,
    TIMES,
    UsageChoice,
    from_query,
)
from portal.features.usage.drawing import drawing
from portal.features.usage.filters_state import UsageFilters
from portal.features.usage.measured import shown_as
from portal.features.usage.question import UsageQuestion, usage_question
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
from portal.kit.vars import computed
from portal.kit.vega_chart import PackedRows, packed
from portal.session import polling
from portal.session.guard import SPENDERS, Caller, signed_in
from portal.session.live import feeds, shared
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.names import names_of

_MEASURED_LATE = timedelta(seconds=15)
"""How long after an event what the gateway measured of its call may still be to come."""


class Usage(UsageFilters, PageState, Session):
    """What the chart shows is what is chosen here."""

    spec: dict[str, Any] = {}
    rows: PackedRows = []
    legend: list[LegendEntry] = []
    table_head: list[str] = []
    table: list[TableRow] = []
    table_more: int = 0
    heading: str = "Tokens"
    total: str = ""
    change: str = ""
    description: str = ""
    last_event: str = ""
    leads_to_events: bool = True

    _drawn: tuple[int | None, UsageChoice, UsageQuestion] | None = None
    _offered: bool = False
    _names: dict[str, str] = {}

    @computed
    def csv(self) -> str:
        """Where the browser downloads what is chosen, by every dimension."""
        return "/downloads/usage.csv?" + self._file_query()

    @computed
    def parquet(self) -> str:
        """The same as Parquet."""
        return "/downloads/usage.parquet?" + self._file_query()

    def _file_query(self) -> str:
        choice = self._choice()
        kept = ("range", "width", "since", "until", "zone", "show")
        values = {name: getattr(choice, name) for name in kept if getattr(choice, name)}
        return urlencode({**values, **choice.filters})

    @signed_in(background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Draw the chart, and follow the tenant's usage until the browser leaves the page."""
        async with self:
            self._drawn, self._offered = None, False
            self._operator = caller.me.is_operator
            self.own_zone = caller.me.tenant.time_zone
            if query := self.router.url.query_parameters:
                splits = OPERATOR_SPLITS if self._operator else SPLITS
                self._choose(from_query(query, splits, self.own_zone))
                self.cleared += 1
        return await self._follow_usage(caller, lambda: self._look(caller), polling.USAGE_CHART)

    @signed_in(background=True)
    async def look(self, caller: Caller) -> None:
        """Draw what has just been chosen, without waiting for the next look."""
        await self._look(caller)

    @signed_in()
    async def choose_range(self, caller: Caller, chosen: str) -> Any:
        """Choose how far back, with that range's usual bucket width."""
        if chosen in RANGES:
            self._choose_range(chosen, datetime.now(UTC))
        return Usage.look

    @signed_in()
    async def choose_times(self, caller: Caller, form: dict[str, Any]) -> Any:
        """Show the usage between two times."""
        self._choose_times(str(form.get("since", "")), str(form.get("until", "")))
        return Usage.look

    @signed_in()
    async def choose_width(self, caller: Caller, width: str) -> Any:
        """Choose how wide a bar is."""
        self._change("width", width)
        return Usage.look

    @signed_in()
    async def choose_show(self, caller: Caller, show: str | list[str]) -> Any:
        """Choose what is measured."""
        if isinstance(show, str):
            self._change("show", show)
        return Usage.look

    @signed_in()
    async def choose_split(self, caller: Caller, split: str) -> Any:
        """Choose what it is divided by."""
        self._change("split", split)
        return Usage.look

    @signed_in()
    async def choose_filter(self, caller: Caller, field: str, value: str) -> Any:
        """Choose a filter, the zone, or what the parts are divided by again."""
        if field in {"application", "key", "model", "meter", "status", "zone", "then"}:
            self._change(field, value)
        return Usage.look

    @signed_in()
    async def choose_label(self, caller: Caller, text: str) -> Any:
        """Show the usage with a label's value alone: ``team=search``."""
        text = text.strip()[:MOST_LETTERS]
        name, sign, _ = text.partition("=")
        if text and not (name and sign):
            self.label_problem = "Write it as name=value, such as team=search."
            return None
        self.label, self.label_problem = text, ""
        return Usage.look

    @signed_in()
    async def clear_filters(self, caller: Caller) -> Any:
        """Show all usage again."""
        for field in ("application", "key", "model", "meter", "status"):
            self._change(field, "")
        self.label = self.label_problem = ""
        self.cleared += 1
        return Usage.look

    async def _look(self, caller: Caller) -> bool:
        """Ask for what is chosen, and draw it if it has changed since.

        Tells whether more is to come: of a call that has just ended it isn't measured yet.
        """
        async with self:
            drawn, choice, offered = self._drawn, self._choice(), self._offered
        now, own_zone = datetime.now(UTC), caller.me.tenant.time_zone
        question = usage_question(choice, now=now, time_zone=own_zone)
        version = feeds.version(caller)
        if not choice.of_calls and version is not None and drawn == (version, choice, question):
            return False
        if choice.show == "cost" and caller.me.role not in SPENDERS:
            async with self:
                self._fail(f"Your role here ({caller.me.role}) may not see what usage costs.")
            return False
        shown = await ask(caller, choice, question, now=now)
        latest = feeds.latest(caller)
        if latest is not None:
            version = latest.version
        last = shown.measured.last_event_at or (latest.last_event_at if latest else None)
        if not ids_in(shown.measured, choice.splits) <= self._names.keys():
            names = await shared(
                caller, "names", lambda: names_of(caller), fresh_seconds=polling.ANSWER_SECONDS
            )
            async with self:
                self._names = names
        async with self:
            if choice == self._choice():
                drawn_version = shown.measured.version
                self._drawn = (
                    version if drawn_version is None else drawn_version,
                    choice,
                    question,
                )
                self._draw(shown, question, choice, own_zone)
                self._tell_last(last, own_zone)
        if not offered:
            async with self:
                self._offered = True
            await self._offer(caller)
        late = last is not None and now - last < _MEASURED_LATE
        return choice.of_calls and late

    def _tell_last(self, last: datetime | None, own_zone: str) -> None:
        if last is not None:
            local = last.astimezone(ZoneInfo(own_zone))
            self.last_event = f"Last call metered at {local:%H:%M:%S}, {local.day} {local:%b}"

    def _draw(
        self, shown: Shown, question: UsageQuestion, choice: UsageChoice, own_zone: str
    ) -> None:
        measured, is_time = shown.measured, choice.show in TIMES
        in_words = shown_as(choice.show, measured.currency)
        drawn = drawing(
            measured,
            splits=choice.splits,
            names=partial(group_name, self._names),
            shown=in_words,
            adds_up=not is_time,
            before=shown.before,
            own_zone=own_zone,
        )
        unit = meter_name(choice.meter) if choice.meter else SHOWN[choice.show]
        is_cost = choice.show == "cost"
        short = shown_as("cost", measured.currency, short=True) if is_cost else compact
        self.legend = [
            LegendEntry(series.name, series.color, "" if is_time else short(series.total))
            for series in drawn.series
        ]
        events = choice.show in {"tokens", "requests", "cost", "errors"}
        # Events have the status as a label
        status = "failed" if choice.show == "errors" else choice.status
        of_status = {"label": f"status={status}"} if status and not choice.label else {}
        spec = chart_spec(
            drawn.series,
            start=question.start,
            end=question.end,
            granularity=question.granularity,
            time_zone=measured.time_zone,
            unit=unit,
            splits=choice.splits,
            filters={
                **{name: value for name, value in choice.filters.items() if name != "status"},
                **of_status,
            },
            lines=is_time,
            number=_axis_number(choice.show, measured.currency),
            events=events,
        )
        if spec != self.spec:
            self.spec = spec
        self.leads_to_events = events
        self.rows = packed(drawn.rows) if drawn.table else []
        self.heading = f"{unit}, 95th percentile" if is_time else unit
        total = shown.total
        self.total = "–" if total is None else (short if is_cost else in_words)(total)
        self.change = change_in_words(total, shown.total_before)
        divided = ", ".join(SPLIT_NAMES[split].lower() for split in choice.splits)
        self.description = (
            f"{unit} in: {RANGES[choice.range].lower()}, {divided}: "
            + ("; ".join(f"{s.name} {in_words(s.total)}" for s in drawn.series) or "none")
            + ". The table below has the numbers."
        )
        self.table_head, self.table, self.table_more = usage_table(
            drawn, measured, shown=in_words, nothing="–" if is_time else "0"
        )
        self._ready()


def _axis_number(show: str, currency: str) -> str:
    """How the axis reads, as an expression of Vega's."""
    if show in TIMES:
        return "datum.value < 1 ? format(datum.value * 1000, '.3~r') + ' ms' : datum.value + ' s'"
    if show == "cost":
        return f"'{SYMBOLS.get(currency, '')}' + format(datum.value, ',.6~f')"
    return SHORT_NUMBER
