"""How each tenant's calls went, in the numbers that wait for the database.

A row for each quarter hour, application, key, model, status and cause. Times are histograms with
fixed bounds (see ``latencies``), so that rows add up without loss over any time and any
dimension, whoever counted them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.principal import Principal
from backend.errors import FareboxError
from backend.gateway.call import Call, Status
from backend.gateway.errors import KeyLimited, UpstreamFailed, UpstreamRefused
from backend.gateway.latencies import BUCKETS, bucket_of
from backend.metering.events import bucket_start
from backend.storage.tables import call_measures

KEPT: Final = timedelta(days=93)
_MOST_ROWS: Final = 20_000
"""Rows that wait while the database is away; calls that need another are not counted."""

_ADD: Final = text(
    "INSERT INTO call_measures (tenant_id, bucket, application_id, key_id, model, status, cause,"
    " calls, total_counts, first_token_counts)"
    " VALUES (:tenant_id, :bucket, :application_id, :key_id, :model, :status, :cause,"
    " :calls, :total_counts, :first_token_counts)"
    " ON CONFLICT (tenant_id, bucket, application_id, key_id, model, status, cause) DO UPDATE SET"
    " calls = call_measures.calls + excluded.calls,"
    " total_counts = ARRAY(SELECT present + more FROM"
    " unnest(call_measures.total_counts, excluded.total_counts)"
    " WITH ORDINALITY AS pair (present, more, place) ORDER BY place),"
    " first_token_counts = ARRAY(SELECT present + more FROM"
    " unnest(call_measures.first_token_counts, excluded.first_token_counts)"
    " WITH ORDINALITY AS pair (present, more, place) ORDER BY place)"
)


class CallKey(NamedTuple):
    """What calls are counted by; ``cause`` is why a call failed or was refused."""

    tenant_id: str
    bucket: datetime
    application_id: str
    key_id: str
    model: str
    status: str
    cause: str


@dataclass(slots=True)
class CallCounts:
    """How many calls there were, and how long those that were completed took, by bucket."""

    calls: int = 0
    total_counts: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    first_token_counts: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    def add(self, more: CallCounts) -> None:
        """Add what was counted elsewhere."""
        self.calls += more.calls
        for own, others in (
            (self.total_counts, more.total_counts),
            (self.first_token_counts, more.first_token_counts),
        ):
            own[:] = [before + after for before, after in zip(own, others, strict=True)]


class CallTally:
    """Counts calls in memory. Falsy while nothing waits."""

    def __init__(self) -> None:
        self._counts: dict[CallKey, CallCounts] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def note(self, call: Call, status: Status) -> None:
        """Count a call that has ended: in the quarter hour that it began in, as its event is."""
        admitted, caller = call.admitted, call.admitted.caller
        key = CallKey(
            caller.tenant_id,
            bucket_start(call.began),
            admitted.application_id,
            caller.id if caller.kind == "key" else "",
            admitted.model.id,
            "refused" if call.refused else status,
            _cause(call) if status == "failed" else "",
        )
        first_token = call.first_token_seconds if call.asked.stream else None
        self.count(key, seconds=call.seconds, first_token_seconds=first_token)

    def note_refusal(self, caller: Principal, model: str, error: FareboxError) -> None:
        """Count a call that was refused before a provider was asked, by the limit or the error."""
        if caller.tenant_id:
            key = CallKey(
                caller.tenant_id,
                bucket_start(datetime.now(UTC)),
                caller.application_id or "",
                caller.id if caller.kind == "key" else "",
                model,
                "refused",
                error.limit if isinstance(error, KeyLimited) else type(error).code,
            )
            self.count(key)

    def count(
        self,
        key: CallKey,
        *,
        seconds: float = 0.0,
        first_token_seconds: float | None = None,
    ) -> None:
        """Count a call; of one that was completed, also how long it took."""
        counts = self._counts.get(key)
        if counts is None:
            if len(self._counts) >= _MOST_ROWS:
                return
            counts = self._counts[key] = CallCounts()
        counts.calls += 1
        if key.status == "completed":
            counts.total_counts[bucket_of(seconds)] += 1
            if first_token_seconds is not None:
                counts.first_token_counts[bucket_of(first_token_seconds)] += 1

    def take(self) -> Mapping[CallKey, CallCounts]:
        """Take what waits."""
        waiting, self._counts = self._counts, {}
        return waiting

    def take_back(self, waiting: Mapping[CallKey, CallCounts]) -> None:
        """Let what could not be added wait for the next time."""
        for key, counts in waiting.items():
            present = self._counts.setdefault(key, counts)
            if present is not counts:
                present.add(counts)


def _cause(call: Call) -> str:
    """Return the code of what the call failed of: our own, of which there are few."""
    if call.refused:
        return UpstreamRefused.code
    # One that broke off is counted before its error is worded
    return UpstreamFailed.code if call.error is None else type(call.error).code


async def add_calls(connection: AsyncConnection, waiting: Mapping[CallKey, CallCounts]) -> None:
    """Add counts to those in the database."""
    # In one order everywhere, so that two processes don't wait for each other's rows
    rows: list[dict[str, Any]] = [
        {
            **key._asdict(),
            "calls": counts.calls,
            "total_counts": counts.total_counts,
            "first_token_counts": counts.first_token_counts,
        }
        for key, counts in sorted(waiting.items(), key=lambda item: item[0])
    ]
    if rows:
        await connection.execute(_ADD, rows)


async def remove_old(connection: AsyncConnection, now: datetime) -> None:
    """Remove what was counted longer ago than ``KEPT``."""
    await connection.execute(delete(call_measures).where(call_measures.c.bucket < now - KEPT))
