"""A plan from a moment that is past: what of a tenant's time is still open to another price."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.errors import InvalidInput
from backend.pricing.periods import is_quarter_hour
from backend.storage.tables import billing_cursors, subscriptions
from backend.subscriptions.errors import PrepaidNotBackdated
from backend.subscriptions.periods import period_at
from backend_client.types.plans import PlanDefinition

FURTHEST: Final = timedelta(days=366)
"""How far back a plan may begin: a year that was mistyped would ask for decades of fees."""


async def check_backdated(
    connection: AsyncConnection,
    tenant_id: str,
    at: datetime,
    plans: Iterable[PlanDefinition],
    now: datetime,
) -> None:
    """Let a plan begin at ``at``, which is past, in place of ``plans`` that were in force since.

    Usage since then is rated anew by the new plan. That can be where no invoice has closed the
    period. A tenant that was never invoiced is then billed from the period of ``at``. Raises
    ``InvalidInput`` for a moment that is no quarter hour, lies in a closed period or more than
    ``FURTHEST`` back, and ``Conflict`` if one of the plans is prepaid: its calls were paid when
    they were made.
    """
    if at < now - FURTHEST:
        raise InvalidInput.of_field("at", "is more than a year past")
    if not is_quarter_hour(at):
        detail = "must be a quarter hour: minute 0, 15, 30 or 45, and no seconds"
        raise InvalidInput.of_field("at", detail)
    if any(plan.prepaid for plan in plans):
        raise PrepaidNotBackdated()
    billed = select(billing_cursors.c.period_start).where(billing_cursors.c.tenant_id == tenant_id)
    billed_from = await connection.scalar(billed.with_for_update())
    if billed_from is None or billed_from <= at:
        return
    first = select(func.min(subscriptions.c.start_at)).where(subscriptions.c.tenant_id == tenant_id)
    began = await connection.scalar(first)
    tenant = await find_tenant(connection, tenant_id)
    if began is None or (await period_at(connection, tenant, began)).start < billed_from:
        detail = (
            f"lies in a period that is closed; the open one began {billed_from:%Y-%m-%dT%H:%MZ}"
        )
        raise InvalidInput.of_field("at", detail)
    # Nothing was closed yet: whoever bills next begins with the period of the first subscription
    await connection.execute(
        delete(billing_cursors).where(billing_cursors.c.tenant_id == tenant_id)
    )
