"""The end of endpoints: those that fail for days, those that are gone, those ended by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, case, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.outbox.notices import Notice
from backend.outbox.queue import enqueue_notices
from backend.storage.tables import webhook_deliveries as deliveries
from backend.storage.tables import webhook_endpoints as endpoints
from backend_client.types.notifications import NotificationKind, WebhookDisabled
from backend_client.types.webhooks import DisabledBecause

_LULL: Final = timedelta(days=2)
"""Longer than any pause between two attempts: what failed before such a time is another failure."""


async def note_success(connection: AsyncConnection, tenant_id: str, endpoint_id: str) -> None:
    """Record that an attempt on an endpoint succeeded: what failed before counts no more."""
    await connection.execute(
        update(endpoints)
        .where(_of(tenant_id, endpoint_id), endpoints.c.failing_since.is_not(None))
        .values(failing_since=None, last_failed_at=None)
    )


async def note_failure(
    connection: AsyncConnection,
    tenant_id: str,
    endpoint_id: str,
    reason: str,
    now: datetime,
    *,
    disable_after: timedelta,
    is_gone: bool,
) -> None:
    """Record that an attempt failed; disable an endpoint that is gone, or has failed for long.

    Its tenant is given notice. Call it before a delivery of the endpoint is locked.
    """
    begins = or_(endpoints.c.failing_since.is_(None), endpoints.c.last_failed_at < now - _LULL)
    failing = await connection.execute(
        update(endpoints)
        .where(_of(tenant_id, endpoint_id), endpoints.c.enabled)
        .values(
            failing_since=case((begins, now), else_=endpoints.c.failing_since),
            last_failed_at=now,
        )
        .returning(endpoints.c.failing_since, endpoints.c.url)
    )
    row = failing.first()
    if row is None:  # it is disabled or removed by now
        return
    since, url = row
    if not is_gone and since > now - disable_after:
        return
    because = DisabledBecause.GONE if is_gone else DisabledBecause.FAILING
    await disable_endpoint(connection, tenant_id, endpoint_id, because, now)
    data = WebhookDisabled(webhook_id=endpoint_id, url=url, failing_since=since, reason=reason)
    subject = f"{endpoint_id} {now.isoformat()}"
    notice = Notice(NotificationKind.WEBHOOK_DISABLED, tenant_id, subject, data, now)
    await enqueue_notices(connection, [notice])


async def disable_endpoint(
    connection: AsyncConnection,
    tenant_id: str,
    endpoint_id: str,
    because: DisabledBecause,
    now: datetime,
) -> None:
    """Disable an endpoint; what waits for it is tried no more, and can be replayed."""
    await connection.execute(
        update(endpoints)
        .where(_of(tenant_id, endpoint_id), endpoints.c.enabled)
        .values(enabled=False, disabled_at=now, disabled_because=because.value)
    )
    await connection.execute(
        update(deliveries)
        .where(
            deliveries.c.tenant_id == tenant_id,
            deliveries.c.endpoint_id == endpoint_id,
            deliveries.c.state == "waiting",
        )
        .values(state="failed", reason="The webhook was disabled.")
    )


def _of(tenant_id: str, endpoint_id: str) -> ColumnElement[bool]:
    return and_(endpoints.c.tenant_id == tenant_id, endpoints.c.id == endpoint_id)
