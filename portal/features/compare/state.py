"""The comparison of plans: what is compared, and what each plan would cost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from backend_client.types.simulate import Simulation
from portal.features.compare.chart import curve_rows, curve_spec, plan_colors
from portal.features.compare.rows import (
    PlanColumn,
    crossovers,
    curve_points,
    period_days,
    plan_columns,
)
from portal.features.compare.workload import (
    MOST_MODELS,
    STEPS,
    Choice,
    changed,
    curve,
    curve_volumes,
    from_query,
    nearest_step,
    simulation,
    to_query,
    with_share,
)
from portal.kit.vars import computed
from portal.kit.vega_chart import PackedRows, packed
from portal.session.guard import SPENDERS, Caller, NextEvents, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.bounds.words import limit_terms


@dataclass(frozen=True)
class Share:
    """A model of the mix, and its percentage of the chats as it comes out."""

    model: str
    name: str
    share: int
    percent: str


@dataclass(frozen=True)
class PlanLine:
    """A line of the chart's legend."""

    name: str
    color: str


class Compare(PageState, Session):
    """``typed`` and ``slid`` count what is written and what is drawn by a slider.

    A field beside a slider is made anew when the slider moves, and the other way round, so that
    what a person is at never changes under their hands.
    """

    basis: str = "workload"
    chats: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    growth: int = 0
    months: int = 1
    past: int = 3
    seats: int = 1
    mix: list[Share] = []
    more_models: int = 0
    typed: int = 0
    slid: int = 0
    query: str = ""
    full_screen: bool = False

    columns: list[PlanColumn] = []
    legend: list[PlanLine] = []
    crossings: list[str] = []
    spec: dict[str, Any] = {}
    rows: PackedRows = []
    other_currency: str = ""
    busy: bool = False

    _choice: Choice = Choice()
    _models: dict[str, str] = {}
    _limits: dict[str, list[str]] = {}

    @computed
    def chats_step(self) -> int:
        """Where the slider of chats stands."""
        return nearest_step(self.chats)

    @computed
    def input_step(self) -> int:
        """Where the slider of input tokens stands."""
        return nearest_step(self.tokens_in)

    @computed
    def output_step(self) -> int:
        """Where the slider of output tokens stands."""
        return nearest_step(self.tokens_out)

    @computed
    def csv(self) -> str:
        """Where the browser downloads what is compared."""
        return "/downloads/plans.csv?" + self.query

    @computed
    def pdf(self) -> str:
        """The same as a PDF."""
        return "/downloads/plans.pdf?" + self.query

    @computed
    def link(self) -> str:
        """The address of what is compared, to be sent to somebody."""
        return f"{self.router.url.origin}{self.router.url.path}?{self.query}"

    @computed
    def nobody_chats(self) -> bool:
        """Whether the mix has no model, so that there is nothing to compare."""
        return self.basis == "workload" and not any(part.share for part in self.mix)

    @signed_in(roles=SPENDERS, background=True, supersedes=True)
    async def load(self, caller: Caller) -> None:
        """Compare what the address says."""
        models = await caller.client.models.list().all()
        plans = await caller.client.plans.list().all()
        async with self:
            query = self.router.url.query_parameters
            self._limits = {
                plan.definition.id: limit_terms(
                    plan.definition.limits, plan.definition.model_limits
                )
                for plan in plans
            }
            self._models = {model.id: model.name for model in models if model.available}
            self.more_models = max(0, len(self._models) - MOST_MODELS)
            self.full_screen = query.get("full") == "1"
            self._show(from_query(query, list(self._models)))
            self.typed += 1
            self.slid += 1
        await self._compare(caller)

    @signed_in(roles=SPENDERS, background=True, supersedes=True)
    async def compare(self, caller: Caller) -> None:
        """Compare what is chosen now."""
        await self._compare(caller)

    @signed_in(roles=SPENDERS)
    async def write(self, caller: Caller, field: str, text: str) -> NextEvents:
        """Take a number that was written."""
        if text.strip():
            self._show(changed(self._choice, field, text))
            self.typed += 1
        return Compare.compare

    @signed_in(roles=SPENDERS)
    async def slide(self, caller: Caller, field: str, value: float) -> NextEvents:
        """Take a number that was drawn by a slider."""
        self._show(changed(self._choice, field, int(value)))
        return Compare.compare

    @signed_in(roles=SPENDERS)
    async def slide_to_step(self, caller: Caller, field: str, step: float) -> NextEvents:
        """Take the quantity that a stop of a slider stands for."""
        if 0 <= step < len(STEPS):
            self._show(changed(self._choice, field, STEPS[int(step)]))
            self.slid += 1
        return Compare.compare

    @signed_in(roles=SPENDERS)
    async def share(self, caller: Caller, model: str, value: float) -> NextEvents:
        """Change a model's part of the chats."""
        self._show(with_share(self._choice, model, int(value)))
        return Compare.compare

    @signed_in(roles=SPENDERS)
    async def choose_basis(self, caller: Caller, basis: str | list[str]) -> NextEvents:
        """Compare by a described workload or by the past."""
        self._show(replace(self._choice, basis="past" if basis == "past" else "workload"))
        return Compare.compare

    @signed_in(roles=SPENDERS)
    async def switch_full_screen(self, caller: Caller) -> None:
        """Show the comparison alone, or in its frame again."""
        self.full_screen = not self.full_screen
        self._show(self._choice)

    def _show(self, choice: Choice) -> None:
        self._choice = choice
        self.basis, self.chats = choice.basis, choice.chats
        self.tokens_in, self.tokens_out = choice.tokens_in, choice.tokens_out
        self.cached, self.growth = choice.cached, choice.growth
        self.months, self.past, self.seats = choice.months, choice.past, choice.seats
        whole = sum(part.share for part in choice.mix) or 1
        self.mix = [
            Share(
                part.model,
                self._models.get(part.model, part.model),
                part.share,
                f"{round(part.share / whole * 100)}%",
            )
            for part in choice.mix
        ]
        full = "full=1" if self.full_screen else ""
        self.query = "&".join(filter(None, (to_query(choice), full)))

    async def _compare(self, caller: Caller) -> None:
        async with self:
            choice = self._choice
            self.busy = True
        question, volumes = simulation(choice), curve(choice)
        try:
            answers = await asyncio.gather(
                *(
                    caller.client.simulations.run(asked)
                    for asked in (question, volumes)
                    if asked is not None
                )
            )
        finally:
            async with self:
                self.busy = False
        async with self:
            if choice == self._choice:
                self._show_answers(choice, *answers)

    def _show_answers(
        self, choice: Choice, plans: Simulation | None = None, volumes: Simulation | None = None
    ) -> None:
        self.columns = plan_columns(plans.plans, choice, self._limits) if plans else []
        self.other_currency = ", ".join(plans.other_currency) if plans else ""
        self.legend, self.rows, self.crossings = [], [], []
        if volumes is not None and volumes.plans:
            periods = volumes.plans[0].periods
            monthly = curve_volumes(choice, period_days(periods))
            points = curve_points(volumes.plans, monthly)
            carried = [plan.name for plan in volumes.plans if plan.periods_carried]
            colors = plan_colors(carried)
            self.legend = [PlanLine(name, color) for name, color in colors.items()]
            self.rows = packed(curve_rows(points, volumes.currency))
            self.crossings = crossovers(points)
            days = sum(period_days(periods), Decimal(0))
            a_month = choice.chats * days / len(periods)
            self.spec = curve_spec(carried, a_month, volumes.currency)
        self._ready()
