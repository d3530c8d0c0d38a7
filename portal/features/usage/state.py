"""The usage page: a chart that follows the calls as they come in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from backend_client.types.usage import UsageReport
from portal.features.usage.chart import usage_bars, usage_spec
from portal.features.usage.question import (
    MOST_LETTERS,
    OPERATOR_SPLITS,
    RANGES,
    SHOWN,
    SPLITS,
    WIDTH_NAMES,
    WIDTHS,
    UsageChoice,
    UsageQuestion,
    from_query,
    the_time_before,
    to_query,
    usage_question,
)
from portal.features.usage.rows import LegendEntry, TableRow, change_of, named, usage_table
from portal.kit.choice import Choice
from portal.kit.formatting import TOKEN_METERS, compact, count
from portal.kit.vars import computed
from portal.kit.vega_chart import PackedRows, packed
from portal.session import polling
from portal.session.guard import Caller, signed_in
from portal.session.live import feeds, shared
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.names import names_of
from portal.shared.usage import usage_report

ANY = "any"
"""Everything is let through: a list can't have an empty value."""


class Usage(PageState, Session):
    """What the chart shows is what is chosen here."""

    chosen: str = "day"
    width: str = "hour"
    show: str = "tokens"
    split: str = "meter"
    application: str = ANY
    key: str = ANY
    model: str = ANY
    label: str = ""
    label_problem: str = ""
    cleared: int = 0
    applications: list[Choice] = []
    keys: list[Choice] = []
    models: list[Choice] = []

    spec: dict[str, Any] = {}
    rows: PackedRows = []
    legend: list[LegendEntry] = []
    table_head: list[str] = []
    table: list[TableRow] = []
    table_more: int = 0
    total: str = ""
    change: str = ""
    description: str = ""
    last_event: str = ""

    _drawn: tuple[int, UsageChoice, UsageQuestion] | None = None
    _offered: bool = False
    _names: dict[str, str] = {}

    @computed
    def widths(self) -> list[Choice]:
        """The bucket widths that the chosen range can be cut into."""
        return [Choice(width.value, WIDTH_NAMES[width]) for width in WIDTHS[self.chosen]]

    @computed
    def query(self) -> str:
        """What is chosen, as the query of an address; without what is as usual."""
        return urlencode(to_query(self._choice()))

    @computed
    def filtered(self) -> bool:
        """Whether any usage is left out."""
        return bool(self._choice().filters)

    @computed
    def splits(self) -> list[Choice]:
        """What the bars can be stacked by: by upstream for the operator alone."""
        return [Choice(key, name) for key, name in _splits(operator=self.operates).items()]

    @computed
    def csv(self) -> str:
        """Where the browser downloads what is chosen, by every dimension."""
        return "/downloads/usage.csv?" + self._file_query()

    @computed
    def parquet(self) -> str:
        """The same as Parquet."""
        return "/downloads/usage.parquet?" + self._file_query()

    @signed_in(background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Draw the chart, and follow the tenant's usage until the browser leaves the page."""
        async with self:
            self._drawn, self._offered = None, False
            if query := self.router.url.query_parameters:
                choice = from_query(query, _splits(operator=caller.me.is_operator))
                self.chosen, self.width = choice.range, choice.width
                self.show, self.split = choice.show, choice.split
                self.application, self.key = choice.application or ANY, choice.key or ANY
                self.model, self.label = choice.model or ANY, choice.label
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
            self.chosen, self.width = chosen, WIDTHS[chosen][0].value
        return Usage.look

    @signed_in()
    async def choose_width(self, caller: Caller, width: str) -> Any:
        """Choose how wide a bar is."""
        if any(width == possible.value for possible in WIDTHS[self.chosen]):
            self.width = width
        return Usage.look

    @signed_in()
    async def choose_show(self, caller: Caller, show: str | list[str]) -> Any:
        """Choose what is counted; requests are one meter, so they split by something else."""
        if isinstance(show, str) and show in SHOWN:
            self.show = show
            if show == "requests" and self.split == "meter":
                self.split = "model"
        return Usage.look

    @signed_in()
    async def choose_split(self, caller: Caller, split: str) -> Any:
        """Choose what the bars are stacked by."""
        if split in _splits(operator=self.operates):
            self.split = split
            if split == "meter":
                self.show = "tokens"
        return Usage.look

    @signed_in()
    async def choose_filter(self, caller: Caller, field: str, value: str) -> Any:
        """Show the usage of one application, key or model alone, or of any."""
        if field == "application":
            self.application = value
        elif field == "key":
            self.key = value
        elif field == "model":
            self.model = value
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
        self.application = self.key = self.model = ANY
        self.label = self.label_problem = ""
        self.cleared += 1
        return Usage.look

    def _choice(self) -> UsageChoice:
        application, key, model = (
            "" if value == ANY else value for value in (self.application, self.key, self.model)
        )
        return UsageChoice(
            self.chosen, self.width, self.show, self.split, application, key, model, self.label
        )

    def _file_query(self) -> str:
        choice = self._choice()
        return urlencode({"range": choice.range, "width": choice.width, **choice.filters})

    async def _offer_filters(self, caller: Caller) -> None:
        applications, keys, models = await asyncio.gather(
            caller.client.applications.list().all(),
            caller.client.keys.list().all(),
            caller.client.models.list().all(),
        )
        async with self:
            self._offered = True
            self.applications = [Choice(each.id, each.name) for each in applications]
            self.keys = [Choice(key.id, f"{key.name} (…{key.last_four})") for key in keys]
            self.models = [Choice(model.id, model.name) for model in models]

    async def _look(self, caller: Caller) -> None:
        """Ask for what is chosen, and draw it if it has changed since."""
        async with self:
            drawn, choice, offered = self._drawn, self._choice(), self._offered
        now = datetime.now(UTC)
        question = usage_question(
            choice.range,
            choice.width,
            choice.split,
            now=now,
            time_zone=caller.me.tenant.time_zone,
            filters=choice.filters,
        )
        version = feeds.version(caller)
        if version is not None and drawn == (version, choice, question):
            return
        report, earlier = await asyncio.gather(
            usage_report(caller, question.query),
            usage_report(caller, the_time_before(question, now=now).query),
        )
        if not named(report) <= self._names.keys():
            names = await shared(
                caller, "names", lambda: names_of(caller), fresh_seconds=polling.ANSWER_SECONDS
            )
            async with self:
                self._names = names
        async with self:
            if choice == self._choice():
                self._drawn = (report.version, choice, question)
                self._draw(report, question, choice)
                meters = TOKEN_METERS if choice.show == "tokens" else (choice.show,)
                self.change = change_of(report, earlier, meters)
        if not offered:
            await self._offer_filters(caller)

    def _draw(self, report: UsageReport, question: UsageQuestion, choice: UsageChoice) -> None:
        names = self._names
        bars = usage_bars(
            report, show=self.show, split=self.split, names=lambda key: names.get(key, key or "–")
        )
        unit = SHOWN[self.show]
        total = sum(series.total for series in bars.series)
        self.legend = [
            LegendEntry(series.name, series.color, compact(series.total)) for series in bars.series
        ]
        spec = usage_spec(
            bars.series,
            start=question.start,
            end=question.end,
            granularity=question.granularity,
            time_zone=report.time_zone,
            unit=unit,
            split=choice.split,
            filters=choice.filters,
        )
        if spec != self.spec:
            self.spec = spec
        self.rows = packed(bars.rows)
        self.total = count(total)
        if report.last_event_at is not None:
            local = report.last_event_at.astimezone(ZoneInfo(report.time_zone))
            self.last_event = f"Last call metered at {local:%H:%M:%S}, {local.day} {local:%b}"
        self.description = (
            f"{unit} in the {RANGES[self.chosen].lower()}, "
            f"stacked {OPERATOR_SPLITS[self.split].lower()}: "
            + ("; ".join(f"{s.name} {count(s.total)}" for s in bars.series) or "none")
            + ". The table below has the numbers."
        )
        self.table_head, self.table, self.table_more = usage_table(bars, report)
        self._ready()


def _splits(*, operator: bool) -> dict[str, str]:
    return OPERATOR_SPLITS if operator else SPLITS
