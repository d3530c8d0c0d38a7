"""What events would change if they were sent now; nothing is sent."""

from __future__ import annotations

from typing import Any

from backend_client import ApiError, ClientError
from portal.features.corrections.backfill import (
    RefusedRow,
    pasted_events,
    refused_rows,
    verdict_note,
)
from portal.features.corrections.change_rows import ChangeRow, PeriodRow, change_rows, period_rows
from portal.features.corrections.state import Corrections
from portal.session.guard import Caller, signed_in
from portal.session.state import Session


class Backfill(Session):
    """The backfill's card of the corrections page; ``customer_id`` is whose it is about."""

    customer_id: str = ""
    wrong: str = ""
    verdict: str = ""
    refused: list[RefusedRow] = []
    changes: list[ChangeRow] = []
    more_changes: int = 0
    periods: list[PeriodRow] = []

    def _fail(self, why: str) -> None:
        """Say why at the field."""
        self.wrong = why

    @signed_in(operator=True)
    async def preview(self, caller: Caller, form: dict[str, Any]) -> None:
        """Show what the pasted events would change for the page's customer."""
        self.wrong = self.verdict = ""
        corrections = await self.get_state(Corrections)
        customer, names = corrections.customer, corrections._names
        self.customer_id = customer.id
        try:
            events = pasted_events(str(form.get("events") or ""), customer.id)
            outcome = await caller.client.events.preview(events)
        except ApiError as problem:
            named = [f"{error.field}: {error.detail}" for error in problem.errors]
            self.wrong = "; ".join(named) or str(problem)
        except (ValueError, ClientError) as problem:
            self.wrong = str(problem)
        else:
            self.verdict, self.refused = (
                verdict_note(outcome.verdict),
                refused_rows(outcome.verdict),
            )
            zone = customer.time_zone
            self.changes, self.more_changes = change_rows(outcome.changes, names, zone)
            self.periods = period_rows(outcome.spend, zone)
