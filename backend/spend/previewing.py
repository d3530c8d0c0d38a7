"""What a change of plan would do to the present period, before it is made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.spend.queries import spend_report
from backend.subscriptions.changes import change_plan
from backend_client.types.accounts import Tenant
from backend_client.types.common import Money
from backend_client.types.subscription_preview import SubscriptionPreview
from backend_client.types.subscriptions import SubscriptionChange


async def preview_change(
    connection: AsyncConnection,
    tenant: Tenant,
    change: SubscriptionChange,
    now: datetime,
    *,
    by_operator: bool = False,
) -> SubscriptionPreview:
    """Return the period's spend as it is and as the change would make it; nothing is changed.

    The change is made in a savepoint and rated as every bill is, and then taken back. Raises what
    ``change_plan`` raises.
    """
    before = await spend_report(connection, tenant, now)
    savepoint = await connection.begin_nested()
    try:
        changed = await change_plan(connection, tenant.id, change, now, by_operator=by_operator)
        after = await spend_report(connection, tenant, now)
    finally:
        await savepoint.rollback()
    difference = after.total.amount - before.total.amount
    return SubscriptionPreview(
        plan=changed.plan,
        starts_at=changed.start,
        before=before,
        after=after,
        difference=Money(amount=difference, currency=after.currency),
    )
