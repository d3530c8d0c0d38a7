"""Whether a bucket has as much left as a call needs, and what is said if not. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from backend.gateway.buckets import Bucket, bucket_headers
from backend.gateway.errors import KeyLimited

ALL_KEYS: Final = ""
"""Stands for a key where the limits are those of all the tenant's calls together."""
_MINUTE: Final = timedelta(minutes=1)


def check_buckets(
    key_id: str,
    requests: Bucket | None,
    tokens: Bucket | None,
    taken: tuple[int, int],
    now: datetime,
) -> None:
    """Raise ``KeyLimited`` if a bucket has not as many left as are to be taken of it."""
    for bucket, units, name in (
        (requests, taken[0], "requests"),
        (tokens, taken[1], "tokens"),
    ):
        if bucket is not None and units and bucket.after(units, now).full_at - now > _MINUTE:
            wait = bucket.after(units, now).full_at - now - _MINUTE
            raise KeyLimited(
                f"{_whose(key_id)} limit of {bucket.limit:,} {name} a minute is used up for now.",
                retry_after_seconds=wait.total_seconds(),
                headers=bucket_headers(requests, tokens, now),
                held_by_calls=name == "tokens",
                limit=f"{name}_per_minute",
            )


def too_many_at_once(key_id: str, limit: int) -> KeyLimited:
    """Return the error for a call beyond those that may be under way at a time."""
    return KeyLimited(
        f"{_whose(key_id)} limit of {limit:,} requests at a time is used up.",
        retry_after_seconds=1,
        headers={},
        held_by_calls=True,
        limit="concurrent_requests",
    )


def _whose(key_id: str) -> str:
    return "The plan's" if key_id == ALL_KEYS else "This key's"
