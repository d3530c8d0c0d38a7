"""Whether a bucket has as much left as a call needs, and what is said if not. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from backend.gateway.errors import KeyLimited
from backend.gateway.limits.buckets import Bucket, bucket_headers
from backend_client.types.limits import LimitName, ModelLimits, RateLimits

ALL_KEYS: Final = ""
"""Stands for a key where the limits are those of all the tenant's calls together."""
_MINUTE: Final = timedelta(minutes=1)
_UNLIMITED: Final = RateLimits()
_WORDS: Final = {
    "key": "This key's limit",
    "application": "The application's limit",
    "plan": "The plan's limit",
}
HEADER: Final = "x-farebox-limit"
"""Which limit has refused a call."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose limits they are, and of which models alone; of all with none."""

    owner: Literal["key", "application", "plan"] = "key"
    models: tuple[str, ...] = ()

    def field(self, limit: LimitName) -> str:
        """Return the field that a limit is set by."""
        return f"{self.owner}.{'model_limits' if self.models else 'limits'}.{limit}"

    def limit_of(self, amount: str) -> str:
        """Return the words for a limit of so much."""
        of_models = ""
        if self.models:
            names = " and ".join(repr(model) for model in self.models)
            of_models = f" for the model{'s' if len(self.models) > 1 else ''} {names}"
        return f"{_WORDS[self.owner]} of {amount}{of_models}"


@dataclass(frozen=True, slots=True)
class KeptLimits:
    """Limits that a call is held by, and what is used of them is kept under ``key_id``."""

    key_id: str
    limits: RateLimits
    whose: Whose


def kept_limits(
    key_id: str,
    owner: Literal["key", "application", "plan"],
    limits: RateLimits,
    of_models: Sequence[ModelLimits],
    model: str,
) -> Iterable[KeptLimits]:
    """Yield those of an owner's limits that hold a call of a model."""
    if vars(limits) != vars(_UNLIMITED):  # models themselves take ten times as long to compare
        yield KeptLimits(key_id, limits, Whose(owner))
    for each in of_models:
        if model in each.models:
            models = tuple(sorted(each.models))
            yield KeptLimits(kept_under(key_id, models), each.limits, Whose(owner, models))


def kept_under(key_id: str, models: Iterable[str]) -> str:
    """Return what the use of limits on models is kept under: the names may be long, and many."""
    names = "\n".join(sorted(models)).encode()
    return f"{key_id}/{hashlib.blake2b(names, digest_size=16).hexdigest()}"


def check_buckets(
    whose: Whose,
    requests: Bucket | None,
    tokens: Bucket | None,
    taken: tuple[int, int],
    now: datetime,
) -> None:
    """Raise ``KeyLimited`` if a bucket has not as many left as are to be taken of it."""
    buckets: tuple[tuple[Bucket | None, int, str, LimitName], ...] = (
        (requests, taken[0], "requests", "requests_per_minute"),
        (tokens, taken[1], "tokens", "tokens_per_minute"),
    )
    for bucket, units, name, limit in buckets:
        if bucket is not None and units and bucket.after(units, now).full_at - now > _MINUTE:
            wait = bucket.after(units, now).full_at - now - _MINUTE
            state = bucket_headers(requests, tokens, now, whose.owner)
            raise KeyLimited(
                f"{whose.limit_of(f'{bucket.limit:,} {name} a minute')} is used up for now.",
                retry_after_seconds=wait.total_seconds(),
                headers={**state, HEADER: whose.field(limit)},
                held_by_calls=name == "tokens",
                limit=limit,
                field=whose.field(limit),
            )


def too_many_at_once(whose: Whose, limit: int) -> KeyLimited:
    """Return the error for a call beyond those that may be under way at a time."""
    field = whose.field("concurrent_requests")
    return KeyLimited(
        f"{whose.limit_of(f'{limit:,} requests at a time')} is used up.",
        retry_after_seconds=1,
        headers={HEADER: field},
        held_by_calls=True,
        limit="concurrent_requests",
        field=field,
    )
