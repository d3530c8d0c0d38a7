"""When something of a tenant is due next: the instants that its clock stops at on its way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import DateTime, Interval, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.settings import Settings

_LOOK_EVERY: Final = timedelta(days=1)
"""How often what is spent so far is compared with a threshold or budget: it grows by itself too."""

_NEXT = text(
    """
    SELECT min(due.at) FROM (
        SELECT expires_at AS at FROM credit_grants
        WHERE tenant_id = :tenant_id AND available > 0 AND NOT in_arrears
        UNION ALL
        SELECT grants_until FROM wallets WHERE tenant_id = :tenant_id
        UNION ALL
        SELECT lapses_at FROM credit_reservations WHERE tenant_id = :tenant_id AND state = 'open'
        UNION ALL
        SELECT end_at FROM contracts WHERE tenant_id = :tenant_id AND followed_at IS NULL
        UNION ALL
        SELECT prepaid_until FROM contracts WHERE tenant_id = :tenant_id
        UNION ALL
        SELECT due_at FROM contract_instalments
        WHERE tenant_id = :tenant_id AND invoice_id IS NULL
        UNION ALL
        SELECT period_end + :grace FROM billing_cursors WHERE tenant_id = :tenant_id
        UNION ALL
        SELECT unnest(ARRAY[start_at, end_at, end_at + :grace]) FROM subscriptions
        WHERE tenant_id = :tenant_id
        UNION ALL
        SELECT due_at + after FROM invoices CROSS JOIN unnest(:steps) AS step (after)
        WHERE tenant_id = :tenant_id AND state = 'finalized'
        UNION ALL
        SELECT :now + :look_every FROM billing_profiles
        WHERE tenant_id = :tenant_id AND progressive_threshold IS NOT NULL
        UNION ALL
        SELECT :now + :look_every FROM chargeback_policies WHERE tenant_id = :tenant_id
    ) AS due WHERE due.at > :now
    """
).bindparams(
    bindparam("now", type_=DateTime(timezone=True)),
    bindparam("grace", type_=Interval),
    bindparam("look_every", type_=Interval),
    bindparam("steps", type_=ARRAY(Interval)),
)


async def next_stop(
    connection: AsyncConnection, settings: Settings, tenant_id: str, now: datetime
) -> datetime | None:
    """Return the first instant after ``now`` at which the worker may have something to do.

    None if nothing is due any more unless somebody acts.
    """
    steps = {timedelta(days=days) for days in settings.dunning.values()}
    due: datetime | None = await connection.scalar(
        _NEXT,
        {
            "tenant_id": tenant_id,
            "now": now,
            "grace": timedelta(hours=settings.invoice_grace_hours),
            "look_every": _LOOK_EVERY,
            "steps": [timedelta(0), *sorted(steps)],
        },
    )
    return due
