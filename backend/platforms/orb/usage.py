"""Usage on Orb: events within its grace period, changes of events, and backfills beyond both.

An event's key is used up once Orb has it: sent again it adds nothing, and Orb says nothing of it.
A delta below zero changes the event that it takes back from, which Orb allows a hundred times a
customer in a hundred days, and in periods alone that it has not invoiced; then it is backfilled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from backend.platforms.adapter import Refused, Verdict
from backend.platforms.documents import SentDelta, UsageDelta
from backend.platforms.orb.backfills import OrbBackfills
from backend.platforms.orb.calls import NOT_THERE, OrbCalls, RefusedEvents
from backend.platforms.orb.catalog import OrbCatalog
from backend.platforms.orb.events import (
    amended_body,
    change_for,
    event_body,
    timeframes,
)
from backend.platforms.orb.mapping import CHARGES, stamp
from backend.platforms.orb.prices import HOURS, counted_body

_MARGIN: Final = timedelta(minutes=15)
"""Before the grace period ends: Orb judges an event when it comes."""
_UNSURE: Final = (
    "An answer of Orb's about it was lost, and Orb takes it no more: compare both sides."
)


@dataclass(frozen=True, slots=True)
class OrbUsage:
    """Sends deltas, and reads what Orb counted. ``grace`` is the account's grace period."""

    calls: OrbCalls
    catalog: OrbCatalog
    grace: timedelta

    async def push(self, deltas: Sequence[UsageDelta]) -> list[Verdict]:
        """Send deltas; return what became of each. Raises ``NotDelivered`` if nothing is known."""
        verdicts = {
            delta.identifier: Verdict(delta.identifier, why)
            for delta in deltas
            if (why := _why_not_held(delta)) is not None
        }
        held = [delta for delta in deltas if delta.identifier not in verdicts]
        # First what adds: a delta below zero changes an event that is there
        added = await self._add([delta for delta in held if delta.quantity >= 0])
        verdicts |= {verdict.identifier: verdict for verdict in added}
        pushed = {delta.identifier for delta in deltas}
        left: list[UsageDelta] = []
        for delta in held:
            if delta.quantity < 0:
                verdict = await self._change(delta, pushed, verdicts)
                if verdict is None:
                    left.append(delta)
                else:
                    verdicts[delta.identifier] = verdict
        verdicts |= {verdict.identifier: verdict for verdict in await self._add(left)}
        return [verdicts[delta.identifier] for delta in deltas]

    async def read(
        self, customer: str, metric_id: str, start: datetime, end: datetime
    ) -> dict[datetime, Decimal]:
        """Return the hourly sums of a metric."""
        item_id = await self.catalog.item(CHARGES)
        evaluation = {
            "price": counted_body(metric_id, item_id, "USD"),
            "grouping_keys": [HOURS],
        }
        body = {
            "customer_id": customer,
            "timeframe_start": stamp(start),
            "timeframe_end": stamp(end),
            "price_evaluations": [evaluation],
        }
        answer = await self.calls.ask("/prices/evaluate", body)
        return {
            _of_millis(group["grouping_values"][0]): Decimal(str(group["quantity"]))
            for price in answer["data"]
            for group in price["price_groups"]
        }

    async def _add(self, deltas: Sequence[UsageDelta]) -> list[Verdict]:
        """Add events: ingested while the grace period is not over, else backfilled."""
        now = datetime.now(UTC)
        fresh = [delta for delta in deltas if now - delta.at < self.grace - _MARGIN]
        old = [delta for delta in deltas if now - delta.at >= self.grace - _MARGIN]
        return [*await self._ingest(fresh), *await self._backfill(old)]

    async def _change(
        self, delta: UsageDelta, pushed: Collection[str], verdicts: Mapping[str, Verdict]
    ) -> Verdict | None:
        """Have an event say less; return None if there is none, or Orb does not allow it."""
        change = change_for(delta, _there(delta.earlier, pushed, verdicts))
        if change is None:
            return None
        try:
            if change.quantity:
                body = amended_body(delta, change.quantity)
                await self.calls.put(f"/events/{change.identifier}", body)
            else:
                await self.calls.put(f"/events/{change.identifier}/deprecate")
        except Refused as refusal:
            if refusal.code == NOT_THERE:
                return Verdict(delta.identifier, refusal.reason)
            # Its own loss may have used up the last change: to add it again would count it twice
            return Verdict(delta.identifier, _UNSURE) if delta.tried else None
        return Verdict(delta.identifier, how=change.how)

    async def _ingest(
        self, deltas: Sequence[UsageDelta], backfill_id: str | None = None
    ) -> list[Verdict]:
        """Send events, of a backfill or not. Orb takes all of a request or none."""
        if not deltas:
            return []
        events = [event_body(delta) for delta in deltas]
        query = None if backfill_id is None else {"backfill_id": backfill_id}
        try:
            await self.calls.post("/ingest", {"events": events}, query=query)
        except Refused as refusal:
            faults = refusal.faults if isinstance(refusal, RefusedEvents) else {}
            others = [delta for delta in deltas if delta.identifier not in faults]
            if len(others) < len(deltas):
                refused = [Verdict(key, why) for key, why in faults.items()]
                return [*refused, *await self._ingest(others, backfill_id)]
            if len(deltas) == 1:
                return [Verdict(deltas[0].identifier, refusal.reason)]
            # It does not say which are at fault: halves find them
            half = len(deltas) // 2
            return [
                *await self._ingest(deltas[:half], backfill_id),
                *await self._ingest(deltas[half:], backfill_id),
            ]
        return [Verdict(delta.identifier) for delta in deltas]

    async def _backfill(self, deltas: Sequence[UsageDelta]) -> list[Verdict]:
        verdicts: list[Verdict] = []
        backfills = OrbBackfills(self.calls, self.catalog.shared)
        for timeframe in timeframes(deltas):
            try:
                backfill_id = await backfills.open(timeframe.deltas[0].customer, timeframe)
                verdicts += await self._ingest(timeframe.deltas, backfill_id)
                await backfills.close(backfill_id)
            except Refused as refusal:
                reason = refusal.reason
                verdicts += [Verdict(delta.identifier, reason) for delta in timeframe.deltas]
        return verdicts


def _there(
    earlier: Sequence[SentDelta], pushed: Collection[str], verdicts: Mapping[str, Verdict]
) -> list[SentDelta]:
    """Return what Orb has of earlier deltas: those of this push as far as they are taken by now."""
    there = []
    for sent in earlier:
        verdict = verdicts.get(sent.identifier)
        if sent.identifier not in pushed:
            there.append(sent)
        elif verdict is not None and verdict.reason is None:
            there.append(replace(sent, how=verdict.how))
    return there


def _why_not_held(delta: UsageDelta) -> str | None:
    try:
        event_body(delta)
    except ValueError as error:
        return str(error)
    return None


def _of_millis(value: Any) -> datetime:
    return datetime.fromtimestamp(int(value) / 1000, UTC)
