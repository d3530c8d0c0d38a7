"""Usage as Stripe's meter events, one by one (v1) or by the hundred (the stream of v2).

Meter names are ``fb_`` and ours: one meter on Stripe adds up one of our meters for one model.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from backend.platforms.adapter import Refused, Verdict
from backend.platforms.documents import UsageDelta
from backend.platforms.stripe.calls import StripeCalls
from backend.platforms.stripe.forms import Form
from backend_client.types.common import plain

MOST_A_CALL: Final = 100
"""Events in a request to the stream."""
OLDEST: Final = timedelta(days=35)
"""How old an event may be."""
UNDO_WITHIN: Final = timedelta(hours=24)
_UNDO_MARGIN = timedelta(minutes=30)
_RENEW = timedelta(minutes=1)
_TOO_OLD = "It is more than 35 days old: Stripe takes it no more."


class StripeUsage:
    """Sends deltas. A repeated identifier is a delivered delta."""

    def __init__(self, calls: StripeCalls, *, stream: bool) -> None:
        self._calls = calls
        self._stream = stream
        self._token: tuple[str, datetime] | None = None

    async def push(self, deltas: Sequence[UsageDelta]) -> list[Verdict]:
        """Send deltas; return what became of each. Raises ``NotDelivered`` if nothing is known."""
        now = datetime.now(UTC)
        fresh = [delta for delta in deltas if now - delta.at < OLDEST]
        old = [Verdict(delta.identifier, _TOO_OLD) for delta in deltas if now - delta.at >= OLDEST]
        undone = [delta for delta in fresh if _can_be_undone(delta, now)]
        sent = [delta for delta in fresh if delta not in undone]
        verdicts = [await self._undo(delta) for delta in undone]
        if self._stream:
            for start in range(0, len(sent), MOST_A_CALL):
                verdicts += await self._push_many(sent[start : start + MOST_A_CALL])
        else:
            verdicts += [await self._push_single(delta) for delta in sent]
        return old + verdicts

    async def read(
        self, customer: str, meter: str, start: datetime, end: datetime
    ) -> dict[datetime, Decimal]:
        """Return the daily sums of a meter, of which Stripe names the id."""
        form: Form = {
            "customer": customer,
            "start_time": int(start.timestamp()),
            "end_time": int(end.timestamp()),
            "value_grouping_window": "day",
        }
        path = f"/v1/billing/meters/{meter}/event_summaries"
        return {
            datetime.fromtimestamp(day["start_time"], UTC): Decimal(str(day["aggregated_value"]))
            async for day in self._calls.all(path, form)
        }

    async def _push_single(self, delta: UsageDelta) -> Verdict:
        form = {**_event(delta), "timestamp": int(delta.at.timestamp())}
        try:
            await self._calls.post_usage(form)
        except Refused as refusal:
            if _is_repetition(refusal):
                return Verdict(delta.identifier)
            return Verdict(delta.identifier, refusal.reason)
        return Verdict(delta.identifier)

    async def _push_many(self, deltas: Sequence[UsageDelta]) -> list[Verdict]:
        events = [
            {**_event(delta), "timestamp": delta.at.strftime("%Y-%m-%dT%H:%M:%SZ")}
            for delta in deltas
        ]
        path = "/v2/billing/meter_event_stream"
        try:
            await self._calls.post_json(path, {"events": events}, token=await self._session())
        except Refused as refusal:
            # It judges the call as a whole: sent one by one each gets a verdict of its own
            if len(deltas) > 1 or _is_repetition(refusal):
                return [await self._push_single(delta) for delta in deltas]
            return [Verdict(deltas[0].identifier, refusal.reason)]
        return [Verdict(delta.identifier) for delta in deltas]

    async def _session(self) -> str:
        """Return a token for the stream, which holds for a quarter of an hour."""
        now = datetime.now(UTC)
        if self._token is None or self._token[1] - now < _RENEW:
            session = await self._calls.post_json("/v2/billing/meter_event_session", {})
            until = datetime.fromisoformat(session["expires_at"])
            self._token = (session["authentication_token"], until.astimezone(UTC))
        return self._token[0]

    async def _undo(self, delta: UsageDelta) -> Verdict:
        form: dict[str, Any] = {
            "event_name": event_name(delta.meter, delta.model),
            "type": "cancel",
            "cancel": {"identifier": delta.undoes},
        }
        key = f"fb1:undo:{delta.identifier}"
        try:
            await self._calls.post("/v1/billing/meter_event_adjustments", form, key)
        except Refused as refusal:
            # The day is over there, or it was undone: a delta below zero does the same
            return (
                Verdict(delta.identifier) if _is_done(refusal) else await self._push_single(delta)
            )
        return Verdict(delta.identifier)


def event_name(meter: str, model: str) -> str:
    """Return the name of Stripe's meter for one of ours, within its 100 characters."""
    return f"fb_{meter}_{model}"[:100]


def _event(delta: UsageDelta) -> dict[str, Any]:
    return {
        "event_name": event_name(delta.meter, delta.model),
        "identifier": delta.identifier,
        "payload": {"stripe_customer_id": delta.customer, "value": plain(delta.quantity)},
    }


def _can_be_undone(delta: UsageDelta, now: datetime) -> bool:
    sent = delta.undone_sent_at
    return delta.undoes is not None and sent is not None and now - sent < UNDO_WITHIN - _UNDO_MARGIN


def _is_repetition(refusal: Refused) -> bool:
    reason = refusal.reason.lower()
    return refusal.code == "duplicate_meter_event" or "already exists with identifier" in reason


def _is_done(refusal: Refused) -> bool:
    return "already" in refusal.reason.lower() and "cancel" in refusal.reason.lower()
