"""Usage as Amberflo's meter events, a hundred a call at most, and what it counted of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from backend.platforms.adapter import Refused, Verdict
from backend.platforms.amberflo.calls import AmberfloCalls
from backend.platforms.amberflo.corrections import TAKES_BACK, events_of
from backend.platforms.amberflo.mapping import Json, usage_query
from backend.platforms.amberflo.numbers import from_number
from backend.platforms.documents import UsageDelta

MOST_A_CALL: Final = 100
"""As many as Amberflo's own client sends at once."""
_EVENTS_A_PAGE: Final = "1000"
_Batch = list[tuple[UsageDelta, list[Json]]]


class AmberfloUsage:
    """Sends deltas. Amberflo drops a repeated event, and says nothing of it."""

    def __init__(self, calls: AmberfloCalls) -> None:
        self._calls = calls

    async def push(self, deltas: Sequence[UsageDelta]) -> list[Verdict]:
        """Send deltas in order; return what became of each. Raises ``NotDelivered``."""
        verdicts: dict[str, Verdict] = {}
        batch: _Batch = []
        for delta in deltas:
            earlier = {sent.identifier for sent in delta.earlier}
            if earlier & {queued.identifier for queued, _ in batch}:
                batch = await self._send(batch, verdicts)
            if any(verdicts[sent].reason for sent in earlier if sent in verdicts):
                reason = "It takes back what Amberflo refused: replay that first."
                verdicts[delta.identifier] = Verdict(delta.identifier, reason)
                continue
            try:
                events = events_of(delta)
            except Refused as refusal:
                verdicts[delta.identifier] = Verdict(delta.identifier, refusal.reason)
                continue
            if sum(len(queued) for _, queued in batch) + len(events) > MOST_A_CALL:
                batch = await self._send(batch, verdicts)
            batch.append((delta, events))
        await self._send(batch, verdicts)
        return [verdicts[delta.identifier] for delta in deltas]

    async def read(
        self, customer: str, meter: str, start: datetime, end: datetime
    ) -> dict[datetime, Decimal]:
        """Return the hourly sums of a meter; none if Amberflo does not have it."""
        try:
            report = await self._calls.post("/usage/", usage_query(customer, meter, start, end))
        except Refused:
            return {}
        sums: dict[datetime, Decimal] = {}
        for of in (report or {}).get("clientMeters") or ():
            for value in of.get("values") or ():
                at = datetime.fromtimestamp(int(value["secondsSinceEpochUtc"]), UTC)
                sums[at] = from_number(sums.get(at, Decimal(0)) + Decimal(value["value"]))
        return sums

    async def read_identifiers(
        self, customer: str, meter: str, start: datetime, end: datetime
    ) -> frozenset[str] | None:
        """Return the ids of the events that Amberflo has; None where it lists none."""
        query = {
            "customerId": customer,
            "meterApiName": meter,
            "startTimeInSeconds": f"{int(start.timestamp())}",
            "endTimeInSeconds": f"{int(end.timestamp())}",
            "pageSize": _EVENTS_A_PAGE,
        }
        there: set[str] = set()
        while True:
            try:
                page = await self._calls.get("/usage/events", query)
            except Refused:  # too many for the time that is asked about
                return None
            columns = page["columns"]
            id_at = columns.index("uniqueId")
            back_at = columns.index(TAKES_BACK) if TAKES_BACK in columns else None
            there |= {
                row[id_at]
                for row in page["rows"]
                if row[id_at] and (back_at is None or row[back_at] != "true")
            }
            if not page.get("nextPageToken"):
                return frozenset(there)
            query["nextPageToken"] = str(page["nextPageToken"])

    async def _send(self, batch: _Batch, verdicts: dict[str, Verdict]) -> _Batch:
        """Send a batch, and each of it alone if Amberflo does not take all; return an empty one."""
        events = [event for _, of_delta in batch for event in of_delta]
        reason = await self._ingest(events) if events else None
        if reason is not None and len(batch) > 1:
            for single in batch:
                await self._send([single], verdicts)
            return []
        for delta, _ in batch:
            verdicts[delta.identifier] = Verdict(delta.identifier, reason)
        return []

    async def _ingest(self, events: Sequence[Json]) -> str | None:
        """Send events; return why they were not all taken."""
        try:
            taken = await self._calls.ingest(events)
        except Refused as refusal:
            return refusal.reason
        return None if taken == len(events) else f"Amberflo took {taken} of {len(events)} events."
