"""Buckets of requests or tokens a minute: what is left of them, and when they are full. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of ``limit`` units that was full, or will be, at ``full_at``."""

    limit: int
    full_at: datetime

    def after(self, units: int, now: datetime) -> Bucket:
        """Return the bucket less ``units`` (more if they are below 0), even if it has fewer."""
        return Bucket(self.limit, max(self.full_at, now) + _MINUTE * units / self.limit)

    def left(self, now: datetime) -> int:
        """Return the whole units that can be reserved now."""
        missing = max(self.full_at - now, timedelta(0)) * self.limit / _MINUTE
        return max(0, math.floor(self.limit - missing + 1e-6))

    def seconds_until_full(self, now: datetime) -> float:
        """Return how long it takes until the bucket is full."""
        return max(0.0, (self.full_at - now).total_seconds())


def bucket_headers(
    requests: Bucket | None, tokens: Bucket | None, now: datetime, owner: str
) -> dict[str, str]:
    """Return the headers that tell the state of both, as OpenAI names them, and whose they are."""
    headers = {}
    for name, bucket in (("requests", requests), ("tokens", tokens)):
        if bucket is not None:
            headers[f"x-ratelimit-limit-{name}"] = str(bucket.limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(bucket.left(now))
            headers[f"x-ratelimit-reset-{name}"] = f"{bucket.seconds_until_full(now):.3f}s"
            headers[f"x-ratelimit-owner-{name}"] = owner
    return headers
