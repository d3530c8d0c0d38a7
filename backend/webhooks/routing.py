"""What endpoints are sent: what is new, what is sent again, and tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.ids import new_id
from backend.outbox.errors import NotificationOfTestClock
from backend.outbox.events import KNOWN
from backend.outbox.retrying import GIVE_UP_AFTER
from backend.outbox.trying import MESSAGE
from backend.storage.tables import notifications, test_clocks
from backend.storage.tables import webhook_attempts as attempts
from backend.storage.tables import webhook_deliveries as deliveries
from backend.storage.tables import webhook_endpoints as endpoints
from backend.webhooks.errors import WebhookDeliveryNotFound, WebhookIsDisabled
from backend_client.types.notifications import DeliveryTest, NotificationKind
from backend_client.types.webhooks import CUSTOMER_EVENTS, Webhook

BATCH: Final = 500
_CUSTOMERS: Final = notifications.c.kind.in_([kind.value for kind in CUSTOMER_EVENTS])
_KEY = tuple_(notifications.c.tenant_id, notifications.c.id)
_DELIVERY_KEY: Final = ("tenant_id", "endpoint_id", "notification_id")


async def fan_out(connection: AsyncConnection, now: datetime) -> int:
    """Queue new notifications for the endpoints of their tenants; return how many were new.

    Any number of workers may do this at once; an endpoint never gets one twice. What happens on
    test clocks is sent to nobody, nor are tests of the operator's own channels.
    """
    query = (
        select(notifications.c.tenant_id, notifications.c.id, notifications.c.kind)
        .where(notifications.c.fanned_out_at.is_(None), KNOWN)
        .order_by(notifications.c.created_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    rows = (await connection.execute(query)).all()
    if not rows:
        return 0
    open_endpoints = (
        select(endpoints.c.tenant_id, endpoints.c.id, endpoints.c.kinds)
        .where(
            endpoints.c.enabled,
            endpoints.c.tenant_id.in_({row.tenant_id for row in rows}),
            endpoints.c.tenant_id.not_in(select(test_clocks.c.tenant_id)),
        )
        # None of them is removed before its deliveries are there
        .with_for_update(read=True, key_share=True)
    )
    registered = (await connection.execute(open_endpoints)).all()
    queued = [
        {
            "tenant_id": row.tenant_id,
            "endpoint_id": endpoint.id,
            "notification_id": row.id,
            **_due(now),
        }
        for row in rows
        for endpoint in registered
        if endpoint.tenant_id == row.tenant_id
        and row.kind in CUSTOMER_EVENTS
        and (endpoint.kinds is None or row.kind in endpoint.kinds)
    ]
    if queued:
        await connection.execute(insert(deliveries).on_conflict_do_nothing(), queued)
    fanned_out = _KEY.in_([(row.tenant_id, row.id) for row in rows])
    await connection.execute(update(notifications).where(fanned_out).values(fanned_out_at=now))
    return len(rows)


async def replay(
    connection: AsyncConnection,
    tenant_id: str,
    webhook: Webhook,
    since: datetime,
    now: datetime,
    *,
    delivered_too: bool = False,
) -> int:
    """Queue again what happened since then of the kinds that an endpoint is sent.

    What it was never sent counts as not delivered; what waits already goes on. Returns how many
    are queued. Raises ``Conflict`` for an endpoint that is disabled, or a tenant on a test clock.
    """
    await _check_open(connection, tenant_id, webhook)
    asked: Select[Any] = select(
        notifications.c.tenant_id,
        literal(webhook.id),
        notifications.c.id,
        literal(now),
        literal(now + GIVE_UP_AFTER),
    ).where(
        notifications.c.tenant_id == tenant_id,
        notifications.c.occurred_at >= since,
        notifications.c.fanned_out_at.is_not(None),  # the others come by themselves
        _CUSTOMERS,
    )
    if webhook.events is not None:
        asked = asked.where(notifications.c.kind.in_([kind.value for kind in webhook.events]))
    states = ("failed", "delivered") if delivered_too else ("failed",)
    columns = [*_DELIVERY_KEY, "next_attempt_at", "give_up_at"]
    queued = await connection.execute(
        insert(deliveries)
        .from_select(columns, asked)
        .on_conflict_do_update(
            index_elements=_DELIVERY_KEY,
            set_=_anew(now),
            where=deliveries.c.state.in_(states),
        )
    )
    return queued.rowcount


async def resend(
    connection: AsyncConnection, tenant_id: str, webhook: Webhook, event_id: str, now: datetime
) -> None:
    """Queue an event again for an endpoint, under the same id; one that waits is tried now.

    One that is being sent at this moment is not sent beside that. Raises ``NotFound``, and
    ``Conflict`` for an endpoint that is disabled, or a tenant on a test clock.
    """
    await _check_open(connection, tenant_id, webhook)
    mine = (
        deliveries.c.tenant_id == tenant_id,
        deliveries.c.endpoint_id == webhook.id,
        deliveries.c.notification_id == event_id,
    )
    query = select(deliveries.c.state, deliveries.c.attempts).where(*mine).with_for_update()
    row = (await connection.execute(query)).first()
    if row is None:
        raise WebhookDeliveryNotFound()
    under_way = select(attempts.c.number).where(
        attempts.c.tenant_id == tenant_id,
        attempts.c.endpoint_id == webhook.id,
        attempts.c.notification_id == event_id,
        attempts.c.number == row.attempts,
        attempts.c.duration_ms.is_(None),
    )
    if row.state == "waiting" and await connection.scalar(under_way) is not None:
        return
    await connection.execute(update(deliveries).where(*mine).values(**_anew(now)))


async def send_test(
    connection: AsyncConnection, tenant_id: str, webhook: Webhook, subject: str, now: datetime
) -> str:
    """Queue a test for this endpoint alone; return its event's id.

    The same ``subject`` again sends no second one. Raises ``Conflict`` as ``resend`` does.
    """
    await _check_open(connection, tenant_id, webhook)
    kind = NotificationKind.NOTIFICATION_TEST.value
    row = {"tenant_id": tenant_id, "kind": kind, "subject": f"{webhook.id} {subject}"}
    await connection.execute(
        insert(notifications)
        .values(
            **row,
            id=new_id("ntf"),
            data=DeliveryTest(message=MESSAGE).model_dump(mode="json"),
            occurred_at=now,
            # It is for nobody else
            routed_at=now,
            fanned_out_at=now,
        )
        .on_conflict_do_nothing()
    )
    event_id = await connection.scalar(
        select(notifications.c.id).where(
            *(notifications.c[name] == value for name, value in row.items())
        )
    )
    key = {"tenant_id": tenant_id, "endpoint_id": webhook.id, "notification_id": event_id}
    await connection.execute(insert(deliveries).values(**key, **_due(now)).on_conflict_do_nothing())
    return str(event_id)


async def _check_open(connection: AsyncConnection, tenant_id: str, webhook: Webhook) -> None:
    if not webhook.enabled:
        raise WebhookIsDisabled("The webhook is disabled: enable it before you send to it.")
    on_clock = select(test_clocks.c.tenant_id).where(test_clocks.c.tenant_id == tenant_id)
    if await connection.scalar(on_clock) is not None:
        raise NotificationOfTestClock()


def _due(now: datetime) -> dict[str, datetime]:
    return {"next_attempt_at": now, "give_up_at": now + GIVE_UP_AFTER}


def _anew(now: datetime) -> dict[str, Any]:
    return {"state": "waiting", "tries": 0, "delivered_at": None, "reason": None, **_due(now)}
