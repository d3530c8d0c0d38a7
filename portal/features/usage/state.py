"""The usage page: a chart that follows the calls as they come in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from backend_client.types.usage import UsageReport
from portal.features.usage.chart import usage_bars, usage_spec
from portal.features.usage.question import (
    RANGES,
    SPLITS,
    WIDTH_NAMES,
    WIDTHS,
    UsageQuestion,
    usage_question,
)
from portal.features.usage.rows import LegendEntry, TableRow, named, usage_table
from portal.kit.choice import Choice
from portal.kit.formatting import compact, count
from portal.kit.vars import computed
from portal.session import polling
from portal.session.guard import Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.names import names_of
from portal.shared.usage import etag

SHOWN = {"tokens": "Tokens", "requests": "Requests"}


class Usage(PageState, Session):
    """What the chart shows is what is chosen here."""

    chosen: str = "day"
    width: str = "hour"
    show: str = "tokens"
    split: str = "meter"

    spec: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    legend: list[LegendEntry] = []
    table_head: list[str] = []
    table: list[TableRow] = []
    table_more: int = 0
    total: str = ""
    description: str = ""
    last_event: str = ""

    _version: int = -1
    _names: dict[str, str] = {}

    @computed
    def widths(self) -> list[Choice]:
        """The bucket widths that the chosen range can be cut into."""
        return [Choice(width.value, WIDTH_NAMES[width]) for width in WIDTHS[self.chosen]]

    @computed
    def csv(self) -> str:
        """Where the browser downloads what is chosen, by every dimension."""
        return "/downloads/usage.csv?" + urlencode({"range": self.chosen, "width": self.width})

    @signed_in(background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Draw the chart, and follow the tenant's usage until the browser leaves the page."""
        async with self:
            self._version = -1
        return await self._follow(caller, lambda: self._look(caller), polling.USAGE_CHART)

    @signed_in(background=True)
    async def look(self, caller: Caller) -> None:
        """Draw what has just been chosen, without waiting for the next look."""
        await self._look(caller)

    @signed_in()
    async def choose_range(self, caller: Caller, chosen: str) -> Any:
        """Choose how far back, with that range's usual bucket width."""
        if chosen in RANGES:
            self.chosen, self.width = chosen, WIDTHS[chosen][0].value
            self._version = -1
        return Usage.look

    @signed_in()
    async def choose_width(self, caller: Caller, width: str) -> Any:
        """Choose how wide a bar is."""
        if any(width == possible.value for possible in WIDTHS[self.chosen]):
            self.width, self._version = width, -1
        return Usage.look

    @signed_in()
    async def choose_show(self, caller: Caller, show: str | list[str]) -> Any:
        """Choose what is counted; requests are one meter, so they split by something else."""
        if isinstance(show, str) and show in SHOWN:
            self.show, self._version = show, -1
            if show == "requests" and self.split == "meter":
                self.split = "model"
        return Usage.look

    @signed_in()
    async def choose_split(self, caller: Caller, split: str) -> Any:
        """Choose what the bars are stacked by."""
        if split in SPLITS:
            self.split, self._version = split, -1
            if split == "meter":
                self.show = "tokens"
        return Usage.look

    async def _look(self, caller: Caller) -> None:
        """Ask for what is chosen, and draw it if it has changed since."""
        async with self:
            version = self._version
            choices = (self.chosen, self.width, self.split)
        question = usage_question(
            *choices, now=datetime.now(UTC), time_zone=caller.me.tenant.time_zone
        )
        report = await caller.client.usage.report(
            start=question.start,
            end=question.end,
            granularity=question.granularity,
            group_by=question.group_by,
            etag=etag(version if version >= 0 else None),
        )
        if report is None:
            return
        if not named(report) <= self._names.keys():
            names = await names_of(caller)
            async with self:
                self._names = names
        async with self:
            if choices == (self.chosen, self.width, self.split):
                self._version = report.version
                self._draw(report, question)

    def _draw(self, report: UsageReport, question: UsageQuestion) -> None:
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
        )
        if spec != self.spec:
            self.spec = spec
        self.rows = bars.rows
        self.total = count(total)
        if report.last_event_at is not None:
            local = report.last_event_at.astimezone(ZoneInfo(report.time_zone))
            self.last_event = f"Last call metered at {local:%H:%M:%S}, {local.day} {local:%b}"
        self.description = (
            f"{unit} in the {RANGES[self.chosen].lower()}, stacked {SPLITS[self.split].lower()}: "
            + ("; ".join(f"{s.name} {count(s.total)}" for s in bars.series) or "none")
            + ". The table below has the numbers."
        )
        self.table_head, self.table, self.table_more = usage_table(bars, report)
        self._ready()
