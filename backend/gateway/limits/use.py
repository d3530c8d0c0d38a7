"""How much of an application's limits is left at the moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.applications import find_application
from backend.gateway.limits.buckets import Bucket
from backend.gateway.limits.checks import kept_under
from backend.storage.tables import key_calls, key_windows
from backend_client.types.limits import LimitName, LimitUse, RateLimits


async def limit_uses(
    connection: AsyncConnection, tenant_id: str, application_id: str
) -> list[LimitUse]:
    """Return an application's limits with what is left of each; raise ``NotFound``."""
    application = await find_application(connection, tenant_id, application_id)
    owned = [(application.id, application.limits, None)] + [
        (kept_under(application.id, each.models), each.limits, each.models)
        for each in application.model_limits
    ]
    key_ids = [key_id for key_id, _, _ in owned]
    now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    windows = await connection.execute(
        select(key_windows).where(
            key_windows.c.tenant_id == tenant_id, key_windows.c.key_id.in_(key_ids)
        )
    )
    by_key = {row["key_id"]: row for row in windows.mappings()}
    counted = await connection.execute(
        select(key_calls.c.key_id, func.count())
        .where(
            key_calls.c.tenant_id == tenant_id,
            key_calls.c.key_id.in_(key_ids),
            key_calls.c.lost_at > now,
        )
        .group_by(key_calls.c.key_id)
    )
    under_way = {key_id: int(calls) for key_id, calls in counted}
    return [
        use
        for key_id, limits, models in owned
        for use in _uses(limits, models, by_key.get(key_id), under_way.get(key_id, 0), now)
    ]


def _uses(
    limits: RateLimits,
    models: list[str] | None,
    window: RowMapping | Mapping[str, datetime] | None,
    under_way: int,
    now: datetime,
) -> Iterable[LimitUse]:
    windows: tuple[tuple[LimitName, int | None, str], ...] = (
        ("requests_per_minute", limits.requests_per_minute, "requests_free_at"),
        ("tokens_per_minute", limits.tokens_per_minute, "tokens_free_at"),
    )
    for name, most, column in windows:
        if most is not None:
            bucket = Bucket(most, now if window is None else window[column])
            full_at = max(bucket.full_at, now)
            left = bucket.left(now)
            yield LimitUse(limit=name, models=models, most=most, remaining=left, full_at=full_at)
    most = limits.concurrent_requests
    if most is not None:
        left = max(most - under_way, 0)
        yield LimitUse(
            limit="concurrent_requests", models=models, most=most, remaining=left, full_at=None
        )
