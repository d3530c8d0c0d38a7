"""How attempts at each upstream went, of all callers, in numbers that wait for the database.

A row for each five minutes, upstream and model of it, whatever the traffic. First tokens' times are
histograms with fixed bounds (see ``latencies``), so that all processes' add up without loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import JSON, bindparam, delete, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.gateway.latencies import BUCKETS, bucket_of
from backend.storage.tables import upstream_measures

KEPT: Final = timedelta(days=2)
_BUCKET: Final = timedelta(minutes=5)
_MOST_ROWS: Final = 10_000
"""Rows that wait while the database is away; attempts that need another are not counted."""
_LONGEST_DETAIL: Final = 300

_ADD: Final = text(
    "INSERT INTO upstream_measures"
    " (bucket, upstream, model, answered, failed, first_token_counts, last_failure)"
    " VALUES (:bucket, :upstream, :model, :answered, :failed, :first_token_counts, :last_failure)"
    " ON CONFLICT (bucket, upstream, model) DO UPDATE SET"
    " answered = upstream_measures.answered + excluded.answered,"
    " failed = upstream_measures.failed + excluded.failed,"
    " last_failure = CASE WHEN upstream_measures.last_failure IS NULL"
    " OR upstream_measures.last_failure->>'at' < excluded.last_failure->>'at'"
    " THEN excluded.last_failure ELSE upstream_measures.last_failure END,"
    " first_token_counts = ARRAY(SELECT present + more FROM"
    " unnest(upstream_measures.first_token_counts, excluded.first_token_counts)"
    " WITH ORDINALITY AS pair (present, more, place) ORDER BY place)"
).bindparams(bindparam("last_failure", type_=JSON(none_as_null=True)))


class AttemptKey(NamedTuple):
    """What attempts are counted by; ``model`` is the upstream's own name."""

    bucket: datetime
    upstream: str
    model: str


@dataclass(slots=True)
class AttemptCounts:
    """How attempts went; ``last_failure`` is its time, how it came about, and why."""

    answered: int = 0
    failed: int = 0
    first_token_counts: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    last_failure: dict[str, str] | None = None

    def add(self, more: AttemptCounts) -> None:
        """Add what was counted elsewhere."""
        self.answered += more.answered
        self.failed += more.failed
        pairs = zip(self.first_token_counts, more.first_token_counts, strict=True)
        self.first_token_counts[:] = [before + after for before, after in pairs]
        failures = [each for each in (self.last_failure, more.last_failure) if each]
        self.last_failure = max(failures, key=lambda failure: failure["at"], default=None)


class UpstreamTally:
    """Counts attempts in memory, and calls ``noted`` after each. Falsy while nothing waits."""

    def __init__(self, noted: Callable[[], None] = lambda: None) -> None:
        self._noted = noted
        self._counts: dict[AttemptKey, AttemptCounts] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def note_answer(self, upstream: str, model: str) -> None:
        """Count an attempt that went well."""
        counts = self._of(upstream, model, datetime.now(UTC))
        if counts is not None:
            counts.answered += 1
            self._noted()

    def note_failure(self, upstream: str, model: str, outcome: str, detail: str) -> None:
        """Count an attempt that the provider, or its key, let fail."""
        now = datetime.now(UTC)
        counts = self._of(upstream, model, now)
        if counts is not None:
            counts.failed += 1
            # To the microsecond in every case: texts are compared
            at = now.isoformat(timespec="microseconds")
            counts.last_failure = {"at": at, "outcome": outcome, "detail": detail[:_LONGEST_DETAIL]}
            self._noted()

    def note_first_token(self, upstream: str, model: str, seconds: float) -> None:
        """Count how long a streamed answer took to begin."""
        counts = self._of(upstream, model, datetime.now(UTC))
        if counts is not None:
            counts.first_token_counts[bucket_of(seconds)] += 1
            self._noted()

    def take(self) -> dict[AttemptKey, AttemptCounts]:
        """Return what was counted, and forget it."""
        taken, self._counts = self._counts, {}
        return taken

    def take_back(self, taken: Mapping[AttemptKey, AttemptCounts]) -> None:
        """Keep what could not be added to the database."""
        for key, counts in taken.items():
            present = self._counts.get(key)
            if present is None:
                self._counts[key] = counts
            else:
                present.add(counts)

    def _of(self, upstream: str, model: str, now: datetime) -> AttemptCounts | None:
        key = AttemptKey(now - (now - datetime.min.replace(tzinfo=UTC)) % _BUCKET, upstream, model)
        counts = self._counts.get(key)
        if counts is None and len(self._counts) < _MOST_ROWS:
            counts = self._counts[key] = AttemptCounts()
        return counts


async def add_attempts(
    connection: AsyncConnection, taken: Mapping[AttemptKey, AttemptCounts]
) -> None:
    """Add what was counted to the database."""
    rows: list[dict[str, Any]] = [
        {
            **key._asdict(),
            "answered": counts.answered,
            "failed": counts.failed,
            "first_token_counts": counts.first_token_counts,
            "last_failure": counts.last_failure,
        }
        # In one order everywhere, so that two processes don't wait for each other's rows
        for key, counts in sorted(taken.items())
    ]
    if rows:
        await connection.execute(_ADD, rows)


async def remove_old_attempts(connection: AsyncConnection, now: datetime) -> None:
    """Remove what is older than it is kept."""
    await connection.execute(
        delete(upstream_measures).where(upstream_measures.c.bucket < now - KEPT)
    )
