"""The usage page: a chart that follows the calls as they come in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from portal.features.usage.choices import (
    MOST_LETTERS,
    OPERATOR_SPLITS,
    RANGES,
    SPLITS,
    ZONES,
    UsageChoice,
    from_query,
)
from portal.features.usage.figures import ask
from portal.features.usage.filters_state import UsageFilters
from portal.features.usage.picture import Picture, picture_of
from portal.features.usage.question import UsageQuestion, usage_question
from portal.features.usage.rows import LegendEntry, TableRow, ids_in
from portal.kit.vars import computed
from portal.kit.vega_chart import PackedRows
from portal.session import polling
from portal.session.guard import SPENDERS, Caller, NextEvents, signed_in
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
            self._zones = ZONES
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
    async def choose_range(self, caller: Caller, chosen: str) -> NextEvents:
        """Choose how far back, with that range's usual bucket width."""
        if chosen in RANGES:
            self._choose_range(chosen, datetime.now(UTC))
        return Usage.look

    @signed_in()
    async def choose_times(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Show the usage between two times."""
        self._choose_times(str(form.get("since", "")), str(form.get("until", "")))
        return Usage.look

    @signed_in()
    async def choose_width(self, caller: Caller, width: str) -> NextEvents:
        """Choose how wide a bar is."""
        self._change("width", width)
        return Usage.look

    @signed_in()
    async def choose_show(self, caller: Caller, show: str | list[str]) -> NextEvents:
        """Choose what is measured."""
        if isinstance(show, str):
            self._change("show", show)
        return Usage.look

    @signed_in()
    async def choose_split(self, caller: Caller, split: str) -> NextEvents:
        """Choose what it is divided by."""
        self._change("split", split)
        return Usage.look

    @signed_in()
    async def choose_filter(self, caller: Caller, field: str, value: str) -> NextEvents:
        """Choose a filter, the zone, or what the parts are divided by again."""
        if field in {"application", "key", "model", "meter", "status", "zone", "then"}:
            self._change(field, value)
        return Usage.look

    @signed_in()
    async def choose_label(self, caller: Caller, text: str) -> NextEvents:
        """Show the usage with a label's value alone: ``team=search``."""
        text = text.strip()[:MOST_LETTERS]
        name, sign, _ = text.partition("=")
        if text and not (name and sign):
            self.label_problem = "Write it as name=value, such as team=search."
            return None
        self.label, self.label_problem = text, ""
        return Usage.look

    @signed_in()
    async def clear_filters(self, caller: Caller) -> NextEvents:
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
                self._draw(picture_of(shown, question, choice, self._names, own_zone))
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

    def _draw(self, picture: Picture) -> None:
        if picture.spec != self.spec:
            self.spec = picture.spec
        self.rows, self.legend = picture.rows, picture.legend
        self.leads_to_events = picture.leads_to_events
        self.heading, self.total, self.change = picture.heading, picture.total, picture.change
        self.description = picture.description
        self.table_head, self.table = picture.table_head, picture.table
        self.table_more = picture.table_more
        self._ready()
