"""How the calls of sample usage went, drawn from its seed alone.

The models' paces are rough and of no real model. Times are those of the gateway's histograms, so
that a year of calls costs no more than its quarter hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2s
from typing import Any, Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from backend.demo.tenants import SampleSeries
from backend.gateway.errors import UpstreamFailed
from backend.gateway.latencies import BOUNDS, BUCKETS
from backend.gateway.measures.call_tally import CallCounts, CallKey
from backend.gateway.request_log.entries import LEFT_STATUS
from backend.metering.events import bucket_start
from backend_client.types.events import UsageEvent

UPSTREAM: Final = "sample"
"""Who is said to have served sample calls."""

_BOUNDS = np.array(BOUNDS)
_SPREAD_OF_LENGTHS = 0.5
_SPREAD_OF_TIMES = 0.3
_LEFT = 0.006
"""The share of streamed calls whose caller left before the end."""
_BAD_DAYS = 0.08
_BAD_HOUR_FAILED = 0.07
_BAD_HOUR_SLOWER = 1.9


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a model answers, in the middle, and which share of its calls fails."""

    first_token_seconds: float
    tokens_a_second: float
    failed: float


PACES: Final = {
    "sample-large": Pace(0.55, 70.0, 0.003),
    "sample-small": Pace(0.22, 150.0, 0.0015),
    "smollm2-135m-instruct": Pace(0.12, 40.0, 0.004),
}

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SampleCalls:
    """The calls of one event: a row each of those that used something, counts of the others."""

    event: UsageEvent
    time: datetime
    series: SampleSeries
    lengths: Floats
    """Each call's share of the event's tokens."""
    seconds: Floats
    first_token_seconds: Floats
    streamed: NDArray[np.bool_]
    left: NDArray[np.bool_]
    failed: int
    refused: int
    chance: np.random.Generator

    @property
    def began(self) -> datetime:
        """When the quarter hour began that they are in."""
        return bucket_start(self.time)


def sample_calls(event: UsageEvent, time: datetime, series: SampleSeries, seed: int) -> SampleCalls:
    """Return how the calls went that an event of ``time`` sums: the same whenever it is asked."""
    chance = np.random.default_rng([seed, crc32(f"{event.subject}/{event.id}".encode())])
    number = int(event.data.quantities["requests"])
    pace = PACES[series.model]
    is_bad = _bad_hour(series.model, time.astimezone(UTC).date().toordinal(), seed) == (
        time.astimezone(UTC).hour
    )
    lengths = chance.lognormal(0.0, _SPREAD_OF_LENGTHS, number)
    times = chance.lognormal(0.0, _SPREAD_OF_TIMES, (2, number))
    streamed = chance.random(number) < series.streamed
    left = streamed & (chance.random(number) < _LEFT)
    failed_share = _BAD_HOUR_FAILED if is_bad else pace.failed
    slower = _BAD_HOUR_SLOWER if is_bad else 1.0
    first = pace.first_token_seconds * slower * times[0]
    written = series.output_tokens * lengths / pace.tokens_a_second * slower * times[1]
    return SampleCalls(
        event=event,
        time=time,
        series=series,
        lengths=lengths / lengths.sum(),
        seconds=first + np.where(left, 0.4, 1.0) * written,
        first_token_seconds=first,
        streamed=streamed,
        left=left,
        failed=int(chance.poisson(number * failed_share)),
        refused=int(chance.poisson(number * series.refused)),
        chance=chance,
    )


@lru_cache(maxsize=2_000)
def _bad_hour(model: str, day: int, seed: int) -> int | None:
    """The hour (UTC) of a day in which a model is slow and fails; None on most days."""
    chance = np.random.default_rng([seed, crc32(model.encode()), day])
    is_bad, hour = chance.random() < _BAD_DAYS, int(chance.integers(24))
    return hour if is_bad else None


def counted(calls: SampleCalls) -> Iterator[tuple[CallKey, CallCounts]]:
    """Yield what the gateway would have counted of them."""
    left = int(calls.left.sum())
    done = ~calls.left if left else slice(None)
    completed = CallCounts(
        len(calls.left) - left,
        _histogram(calls.seconds[done]),
        _histogram(calls.first_token_seconds[done][calls.streamed[done]]),
    )
    yield _key(calls, "completed"), completed
    for status, cause, number in (
        ("aborted", "", left),
        ("failed", UpstreamFailed.code, calls.failed),
        ("refused", calls.series.refused_by, calls.refused),
    ):
        if number:
            yield _key(calls, status, cause), CallCounts(number)


def _histogram(seconds: Floats) -> list[int]:
    counts: list[int] = np.bincount(_BOUNDS.searchsorted(seconds), minlength=BUCKETS).tolist()
    return counts


def _key(calls: SampleCalls, status: str, cause: str = "") -> CallKey:
    event = calls.event
    return CallKey(
        tenant_id=str(event.subject),
        bucket=calls.began,
        application_id=str(event.data.application),
        key_id=str(event.data.key),
        model=calls.series.model,
        status=status,
        cause=cause,
    )


def logged(calls: SampleCalls) -> Iterator[dict[str, Any]]:
    """Yield each call as the request log has it, without its cost; used units add up exactly.

    All began between the quarter hour's begin and the event, so that none is in the future.
    """
    meters = {meter: int(units) for meter, units in calls.event.data.quantities.items()}
    number = meters.pop("requests")
    units = {
        meter: calls.chance.multinomial(total, calls.lengths) for meter, total in meters.items()
    }
    outcomes = ["aborted" if left else "completed" for left in calls.left.tolist()]
    for place, outcome in enumerate(outcomes):
        has_first = bool(calls.streamed[place])
        yield {
            **_row(calls, place, outcome),
            "status": 200 if outcome == "completed" else LEFT_STATUS,
            "streamed": has_first,
            "upstream": UPSTREAM,
            "attempts": 1,
            "duration_ms": round(float(calls.seconds[place]) * 1000),
            "first_token_ms": (
                round(float(calls.first_token_seconds[place]) * 1000) if has_first else None
            ),
            "event_id": calls.event.id,
            "quantities": {
                "requests": Decimal(1),
                **{
                    meter: Decimal(int(split[place]))
                    for meter, split in units.items()
                    if split[place]
                },
            },
        }
    for place in range(number, number + calls.failed):
        yield {
            **_row(calls, place, "failed"),
            "status": UpstreamFailed.status,
            "upstream": UPSTREAM,
            "attempts": 3,
            "duration_ms": int(calls.chance.integers(900, 9_000)),
            "error_code": UpstreamFailed.code,
            "error_detail": "Sample: the model provider answered with 503.",
        }
    for place in range(number + calls.failed, number + calls.failed + calls.refused):
        yield {
            **_row(calls, place, "refused"),
            "status": 429,
            "upstream": "",
            "attempts": 0,
            "duration_ms": int(calls.chance.integers(2, 12)),
            "error_code": "rate_limit_exceeded",
            "error_detail": "Sample: a limit of the key is used up for now.",
        }


def _row(calls: SampleCalls, place: int, outcome: str) -> dict[str, Any]:
    event = calls.event
    passed = (calls.time - calls.began) / timedelta(milliseconds=1)
    began = calls.began + timedelta(milliseconds=int(calls.chance.random() * passed))
    name = f"{event.subject}/{event.id}/{place}"
    return {
        "tenant_id": event.subject,
        "id": f"sample-{blake2s(name.encode(), digest_size=10).hexdigest()}",
        "time": began,
        "outcome": outcome,
        "protocol": "chat",
        "model": calls.series.model,
        "application_id": event.data.application,
        "streamed": False,
        "key_id": event.data.key,
        "request_id": "",
        "answer_id": "",
        "quantities": {},
        "labels": {},
    }
