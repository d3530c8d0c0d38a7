"""Limits of keys, applications and plans, kept in PostgreSQL for all replicas together.

Requests and tokens a minute are buckets: each contains a minute's worth, fills evenly, and is
stored as the moment at which it will be full again. A call reserves the most that it can use, and
is settled at what it used. A refused call reserves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import ColumnElement, Update, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.gateway.limits.buckets import Bucket, bucket_headers
from backend.gateway.limits.checks import Whose, check_buckets, too_many_at_once
from backend.storage.database import Database
from backend.storage.tables import key_calls, key_windows
from backend_client.types.limits import RateLimits

_log = structlog.get_logger(__name__)

_NOW: Final = func.clock_timestamp()
"""The database's clock: replicas' own may differ."""
_OF_KEY: Final = Whose()


@dataclass(frozen=True, slots=True)
class LimitedCall:
    """A hold of a call on its limits; ``KeyLimits`` settles or releases it."""

    tenant_id: str
    key_id: str
    call_id: str
    limits: RateLimits
    headers: dict[str, str]
    whose: Whose


def limit_headers(calls: Iterable[LimitedCall]) -> dict[str, str]:
    """Return the headers with the state of the limits: of several, those with less left."""
    merged: dict[str, str] = {}
    for name in ("requests", "tokens"):
        remaining = f"x-ratelimit-remaining-{name}"
        with_it = [call.headers for call in calls if remaining in call.headers]
        if with_it:
            least = min(with_it, key=lambda headers: int(headers[remaining]))
            merged |= {key: value for key, value in least.items() if key.endswith(name)}
    return merged


class KeyLimits:
    """Enforces the limits of keys, of applications, and of tenants by their plans.

    One a process; ``await close()`` when done.

    A call under way is renewed every ``lease_seconds / 3``, so that one whose process was killed
    stops counting within ``lease_seconds``.
    """

    def __init__(self, database: Database, *, lease_seconds: float = 60.0) -> None:
        self._database = database
        self.lease = timedelta(seconds=lease_seconds)
        self._under_way: set[tuple[str, str, str]] = set()
        self._renewing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def reserve(
        self,
        tenant_id: str,
        key_id: str,
        call_id: str,
        limits: RateLimits,
        tokens: int,
        *,
        whose: Whose = _OF_KEY,
    ) -> LimitedCall | None:
        """Reserve one request and up to ``tokens``; None if there are no limits.

        ``key_id`` is what they are kept under; see ``checks``. A call of more
        tokens than a minute has is admitted when the whole minute's are left.

        Raises:
            KeyLimited: a limit is used up; nothing was reserved.
        """
        if limits == RateLimits():
            return None
        key = (tenant_id, key_id)
        taken = min(tokens, limits.tokens_per_minute or tokens)
        async with self._database.begin() as connection:
            requests, in_tokens, now = await _locked(connection, key, limits)
            await _check_concurrency(connection, key, limits, whose)
            check_buckets(whose, requests, in_tokens, (1, taken), now)
            requests = None if requests is None else requests.after(1, now)
            in_tokens = None if in_tokens is None else in_tokens.after(taken, now)
            begun = insert(key_calls).values(
                tenant_id=tenant_id,
                key_id=key_id,
                call_id=call_id,
                tokens=taken,
                lost_at=_NOW + self.lease,
            )
            lost = delete(key_calls).where(*_of_key(key), key_calls.c.lost_at <= _NOW)
            kept = _keeping(key, requests, in_tokens)
            # In one statement: every round trip to the database prolongs the key's lock.
            together = begun.add_cte(lost.returning(key_calls.c.call_id).cte("lost"))
            if kept is not None:
                together = together.add_cte(kept.returning(key_windows.c.key_id).cte("kept"))
            await connection.execute(together)
        headers = bucket_headers(requests, in_tokens, now, whose.owner)
        limited = LimitedCall(tenant_id, key_id, call_id, limits, headers, whose)
        self.begun(limited)
        return limited

    async def reserve_tokens(self, call: LimitedCall, tokens: int) -> None:
        """Reserve up to ``tokens`` of a call that has reserved its request and no tokens.

        Raises:
            KeyLimited: fewer are left; the call still has its request.
        """
        limit = call.limits.tokens_per_minute
        if limit is None:
            return
        key, taken = (call.tenant_id, call.key_id), min(tokens, limit)
        async with self._database.begin() as connection:
            requests, in_tokens, now = await _locked(connection, key, call.limits)
            check_buckets(call.whose, requests, in_tokens, (0, taken), now)
            in_tokens = None if in_tokens is None else in_tokens.after(taken, now)
            kept = _keeping(key, None, in_tokens)
            if kept is not None:
                await connection.execute(kept)
            await connection.execute(
                update(key_calls)
                .where(*_of_key(key), key_calls.c.call_id == call.call_id)
                .values(tokens=taken)
            )
        call.headers.update(bucket_headers(requests, in_tokens, now, call.whose.owner))

    async def settle(self, call: LimitedCall, tokens: int) -> None:
        """End a call that used ``tokens``: what it reserved beyond them is free again.

        May be repeated. Raises the database's errors.
        """
        await self._end(call, tokens, requests=1)

    async def release(self, call: LimitedCall) -> None:
        """Release the hold of a call that was not made. May be repeated."""
        await self._end(call, 0, requests=0)

    async def close(self) -> None:
        """Stop renewing."""
        self._closing.set()
        if self._renewing is not None:
            await self._renewing

    async def _end(self, call: LimitedCall, tokens: int, *, requests: int) -> None:
        name = (call.tenant_id, call.key_id, call.call_id)
        async with self._database.begin() as connection:
            # The windows first, as when reserving: another order of locks would deadlock.
            in_requests, in_tokens, now = await _locked(connection, name[:2], call.limits)
            taken = await connection.scalar(
                delete(key_calls)
                .where(
                    key_calls.c.tenant_id == call.tenant_id,
                    key_calls.c.key_id == call.key_id,
                    key_calls.c.call_id == call.call_id,
                )
                .returning(key_calls.c.tokens)
            )
            if taken is not None:
                if in_requests is not None:
                    in_requests = in_requests.after(requests - 1, now)
                if in_tokens is not None:
                    in_tokens = in_tokens.after(tokens - taken, now)
                kept = _keeping(name[:2], in_requests, in_tokens)
                if kept is not None:
                    await connection.execute(kept)
        self.ended(call)

    def begun(self, call: LimitedCall) -> None:
        """Renew a call that has reserved, until it has ended."""
        self._under_way.add((call.tenant_id, call.key_id, call.call_id))
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew())

    def ended(self, call: LimitedCall) -> None:
        """Renew a call no longer that was settled or released."""
        self._under_way.discard((call.tenant_id, call.key_id, call.call_id))

    async def _renew(self) -> None:
        """Renew the calls under way until there are none."""
        while self._under_way and not self._closing.is_set():
            try:
                await asyncio.wait_for(self._closing.wait(), self.lease.total_seconds() / 3)
            except TimeoutError:
                await self._renew_once()

    async def _renew_once(self) -> None:
        call_ids = [call_id for _, _, call_id in self._under_way]
        tenants = {tenant_id for tenant_id, _, _ in self._under_way}
        name = (key_calls.c.tenant_id, key_calls.c.key_id, key_calls.c.call_id)
        # Those that are locked are ending now: to wait for several of them could deadlock
        alive = (
            select(*name)
            .where(key_calls.c.tenant_id.in_(tenants), key_calls.c.call_id.in_(call_ids))
            .with_for_update(skip_locked=True)
        )
        try:
            async with self._database.begin() as connection:
                await connection.execute(
                    update(key_calls)
                    .where(tuple_(*name).in_(alive))
                    .values(lost_at=_NOW + self.lease)
                )
        except (OSError, DBAPIError) as error:
            _log.warning("gateway.limits_not_renewed", error=repr(error))


async def _locked(
    connection: AsyncConnection, key: tuple[str, str], limits: RateLimits
) -> tuple[Bucket | None, Bucket | None, datetime]:
    """Lock a key's windows; return their buckets, and the database's time."""
    tenant_id, key_id = key
    statement = insert(key_windows).values(
        tenant_id=tenant_id, key_id=key_id, requests_free_at=_NOW, tokens_free_at=_NOW
    )
    windows = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "key_id"],
            set_={"requests_free_at": key_windows.c.requests_free_at},
        ).returning(key_windows.c.requests_free_at, key_windows.c.tokens_free_at, _NOW)
    )
    requests_at, tokens_at, now = windows.one()
    per_minute, tokens = limits.requests_per_minute, limits.tokens_per_minute
    return (
        None if per_minute is None else Bucket(per_minute, requests_at),
        None if tokens is None else Bucket(tokens, tokens_at),
        now,
    )


def _of_key(key: tuple[str, str]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return key_calls.c.tenant_id == key[0], key_calls.c.key_id == key[1]


async def _check_concurrency(
    connection: AsyncConnection, key: tuple[str, str], limits: RateLimits, whose: Whose
) -> None:
    if limits.concurrent_requests is None:
        return
    # A statement of its own, after the lock, so that it sees the calls begun before.
    alive = select(func.count()).where(*_of_key(key), key_calls.c.lost_at > _NOW)
    if (await connection.scalar(alive) or 0) >= limits.concurrent_requests:
        raise too_many_at_once(whose, limits.concurrent_requests)


def _keeping(key: tuple[str, str], requests: Bucket | None, tokens: Bucket | None) -> Update | None:
    buckets = {"requests_free_at": requests, "tokens_free_at": tokens}
    values = {name: bucket.full_at for name, bucket in buckets.items() if bucket is not None}
    if not values:
        return None
    return (
        update(key_windows)
        .where(key_windows.c.tenant_id == key[0], key_windows.c.key_id == key[1])
        .values(**values)
    )
