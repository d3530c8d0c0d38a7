"""Usage that is too old to be ingested, or can't be amended: added by a backfill.

A backfill is closed at once, and by itself soon if we are killed before: then its events are in,
and sending them again adds nothing, since their keys are used up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from backend.outbox.channels.channel import NotDelivered
from backend.platforms.adapter import Memory, Refused
from backend.platforms.orb.calls import Json, OrbCalls
from backend.platforms.orb.events import Timeframe
from backend.platforms.orb.mapping import moment, stamp

_CLOSES_AFTER: Final = timedelta(minutes=15)
_WAIT: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class OrbBackfills:
    """Backfills of customers, one after the other. ``shared`` remembers the last of each."""

    calls: OrbCalls
    shared: Memory

    async def open(self, customer: str, timeframe: Timeframe) -> str:
        """Open a backfill that adds to what Orb has; return its id.

        Raises ``NotDelivered`` and its kinds, also while others have one open.
        """
        body = {
            "customer_id": customer,
            "timeframe_start": stamp(timeframe.start),
            "timeframe_end": stamp(timeframe.end),
            "replace_existing_events": False,
            "close_time": stamp(datetime.now(UTC) + _CLOSES_AFTER),
        }
        try:
            opened = await self.calls.post("/events/backfills", body)
        except Refused:
            if not await self._make_room(customer, timeframe):
                raise
            opened = await self.calls.post("/events/backfills", body)
        backfill_id = str(opened["id"])
        await self.shared.remember("backfill", customer, backfill_id)
        return backfill_id

    async def _make_room(self, customer: str, timeframe: Timeframe) -> bool:
        """Close what we left open; return whether anything was. Waits for what others opened."""
        ours = await self.shared.recall("backfill", customer)
        closed = False
        async for there in self.calls.all("/events/backfills"):
            if not _is_in_the_way(there, customer, timeframe):
                continue
            if str(there["id"]) != ours and not _is_the_same(there, customer, timeframe):
                sentence = "Another backfill of the customer's is open in Orb: this one follows it."
                raise NotDelivered(sentence, wait=_WAIT)
            await self.close(str(there["id"]))
            closed = True
        return closed

    async def close(self, backfill_id: str) -> None:
        """Have Orb count what was added, if it does not by now."""
        try:
            await self.calls.post(f"/events/backfills/{backfill_id}/close")
        except Refused:
            there = await self.calls.get(f"/events/backfills/{backfill_id}")
            if there["status"] == "pending" and moment(there["close_time"]) > datetime.now(UTC):
                raise


def _is_in_the_way(there: Json, customer: str, timeframe: Timeframe) -> bool:
    return (
        there["status"] in {"pending", "pending_revert"}
        and there["customer_id"] in {None, customer}
        and moment(there["timeframe_start"]) < timeframe.end
        and timeframe.start < moment(there["timeframe_end"])
    )


def _is_the_same(there: Json, customer: str, timeframe: Timeframe) -> bool:
    """Return whether a backfill is the one that we would open: its answer did not arrive."""
    same = (moment(there["timeframe_start"]), moment(there["timeframe_end"]))
    return (
        there["status"] == "pending"
        and there["customer_id"] == customer
        and not there["replace_existing_events"]
        and same == (timeframe.start, timeframe.end)
    )
