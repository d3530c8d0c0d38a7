"""The operator's page on providers' exports: what differs from what was metered, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend_client import PATIENT
from backend_client.types.drift import ModelDrift
from backend_client.types.reconciliation import (
    Discrepancy,
    DiscrepancyCause,
    DiscrepancyChange,
    DiscrepancyKind,
    DiscrepancyStatus,
    MarginRow,
    Reconciliation,
)
from portal.kit.color import Color
from portal.kit.formatting import METER_NAMES, count, exact_money, fine_money
from portal.session.guard import Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session

SHOWN = 200
"""Discrepancies on the page; the CSV has all of them."""
CAUSES = {
    DiscrepancyCause.MISSING_EVENTS: "Missing events",
    DiscrepancyCause.RETRIES_BILLED_TWICE: "Retries billed twice",
    DiscrepancyCause.CACHED_AS_FRESH: "Cached as fresh",
    DiscrepancyCause.TIME_ZONE_CUT: "Time-zone cut",
    DiscrepancyCause.RATE_CHANGE: "Rate change",
    DiscrepancyCause.QUANTITY_DIFFERS: "Quantity differs",
    DiscrepancyCause.OTHER_NAME: "Other name",
    DiscrepancyCause.METERED_ONLY: "Metered here only",
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


class Reconciliations(PageState, Session):
    """The imports, one of them chosen, and one of its discrepancies open to be decided."""

    imports: list[ImportRow] = []
    chosen: str = ""
    only_open: bool = True
    rows: list[DifferenceRow] = []
    more: bool = False
    margin: list[MarginLine] = []
    drift: list[DriftLine] = []
    deciding: str = ""
    deciding_about: str = ""
    form_problem: str = ""

    @signed_in(operator=True)
    async def load(self, caller: Caller) -> None:
        """Load the imports, what differs in the chosen one, the margin, and a month's drift."""
        found = await caller.client.reconciliations.list().all()
        self.imports = [import_row(one) for one in found]
        if self.chosen not in {one.id for one in found}:
            self.chosen = found[0].id if found else ""
        await self._load_rows(caller)
        self.margin = [margin_line(one) for one in (await caller.client.margin.report()).rows]
        self.drift = [drift_line(one) for one in (await caller.client.drift.report()).models]
        self._ready()

    @signed_in(operator=True)
    async def choose(self, caller: Caller, reconciliation_id: str) -> None:
        """Show another import's discrepancies."""
        self.chosen = reconciliation_id
        await self._load_rows(caller)

    @signed_in(operator=True)
    async def show_open(self, caller: Caller, only: bool) -> None:
        """Show what is open alone, or all."""
        self.only_open = only
        await self._load_rows(caller)

    @signed_in(operator=True)
    async def match_again(self, caller: Caller) -> Any:
        """Compare the chosen import with what is metered now."""
        await caller.client.with_profile(PATIENT).reconciliations.rematch(self.chosen)
        return Reconciliations.load

    @signed_in(operator=True)
    async def open_decision(self, caller: Caller, discrepancy_id: str) -> None:
        """Ask what is made of a discrepancy."""
        row = next((row for row in self.rows if row.id == discrepancy_id), None)
        if row is not None:
            self.deciding, self.form_problem = row.id, ""
            self.deciding_about = f"{row.day}, {row.what}. {row.explanation}"

    @signed_in(operator=True)
    async def close_decision(self, caller: Caller, shown: bool) -> None:
        """Leave it as it is."""
        if not shown:
            self.deciding = ""

    @signed_in(operator=True)
    async def decide(self, caller: Caller, form: dict[str, Any]) -> Any:
        """Keep what is made of the discrepancy, with the note."""
        note = str(form.get("note", "")).strip()
        if not note:
            self.form_problem = "A note is needed: it is what an auditor reads."
            return None
        change = DiscrepancyChange(status=DiscrepancyStatus(str(form.get("status"))), note=note)
        await caller.client.reconciliations.discrepancies.update(self.chosen, self.deciding, change)
        self.deciding = ""
        return Reconciliations.load

    async def _load_rows(self, caller: Caller) -> None:
        if not self.chosen:
            self.rows, self.more = [], False
            return
        statuses = (DiscrepancyStatus.OPEN,) if self.only_open else ()
        discrepancies = caller.client.reconciliations.discrepancies
        page = await discrepancies.list(self.chosen, status=statuses, limit=SHOWN).page()
        self.rows = [difference_row(discrepancy) for discrepancy in page.items]
        self.more = page.next_cursor is not None


def import_row(one: Reconciliation) -> ImportRow:
    """An import as the list shows it."""
    days = str(one.first_day)
    if one.last_day != one.first_day:
        days = f"{one.first_day} to {one.last_day}"
    billed = ""
    if one.billed is not None and one.currency is not None:
        known = "rates unknown"
        if one.expected is not None:
            known = f"expected {exact_money(one.expected, one.currency)}"
        billed = f"{exact_money(one.billed, one.currency)}, {known}"
    return ImportRow(
        id=one.id,
        provider=one.provider,
        file_name=one.file_name or one.format.value,
        days=days,
        agree=count(one.matched),
        open=one.open,
        decided=count(one.explained + one.accepted),
        billed=billed,
    )


def difference_row(one: Discrepancy) -> DifferenceRow:
    """A discrepancy as the table shows it."""
    in_money = one.kind is DiscrepancyKind.AMOUNT and one.currency is not None

    def shown(value: Any) -> str:
        return exact_money(value, one.currency or "") if in_money else count(value)

    model = "All models" if one.model == "*" else one.model
    meter = "cost" if one.meter == "*" else METER_NAMES.get(one.meter, one.meter).lower()
    sign = "+" if one.difference > 0 else ""
    return DifferenceRow(
        id=one.id,
        day=str(one.day),
        what=f"{model}, {meter}",
        provider=shown(one.provider),
        metered="not known" if one.metered is None else shown(one.metered),
        difference=f"{sign}{shown(one.difference)}",
        cause=CAUSES[one.cause],
        explanation=one.explanation,
        status=one.status.value,
        color=COLORS[one.status.value],
        notes="\n".join(f"{note.at:%Y-%m-%d}: {note.text}" for note in one.notes),
    )


def margin_line(one: MarginRow) -> MarginLine:
    """A customer's use of a model as the table shows it."""
    cost = margin = "rates unknown"
    if one.cost is not None and one.margin is not None:
        cost, margin = fine_money(one.cost, one.currency), fine_money(one.margin, one.currency)
        if one.margin_ratio is not None:
            margin += f" ({one.margin_ratio:.1%})"
    return MarginLine(
        tenant=one.tenant,
        model="Fees and discounts" if one.model == "*" else one.model,
        revenue=fine_money(one.revenue, one.currency),
        cost=cost,
        margin=margin,
        loss=one.margin is not None and one.margin < 0,
    )


def drift_line(one: ModelDrift) -> DriftLine:
    """A model's drift as the table shows it."""
    drift = "nothing counted" if one.ratio is None else f"{one.ratio:+.2%}"
    meter = METER_NAMES.get(one.meter, one.meter).lower()
    return DriftLine(
        what=f"{one.model}, {meter}",
        reported=count(one.reported),
        counted=count(one.counted),
        drift=drift,
        alert=one.alert,
    )
