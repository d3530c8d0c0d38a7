"""What changed after its period was invoiced, by comparing marks of what was rated.

A mark covers the rollups of the period, its values of meters that are not summed, what its prepaid
calls took from the wallet, and how many contracts, amendments and coupons the tenant has: one that
is agreed later for the time before is billed like late usage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import DateTime, Text, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.periods import BillingPeriod
from backend.settings import Settings
from backend.storage.tables import billed_periods

Window = tuple[str, datetime, datetime]
"""A tenant and a period, ``start`` inclusive, ``end`` exclusive."""

Mark = tuple[str, BillingPeriod, str]
"""A tenant, a period, and the mark of the usage that it was billed for."""

# A sum of hashes of rows: the same in whatever order, another if a row changes. It also sees events
# that move usage from one quarter hour to another. Upstreams are left out: no price depends on who
# served a model. Values, and what calls took, are added only where there is something. So marks
# that are older than these still compare equal.
_MARKS = text(
    """
    SELECT wanted.tenant_id, wanted.start_at,
           used.mark || coalesce(' v' || valued.mark, '') || coalesce(' u' || paid.used, '')
    FROM unnest(:tenants, :starts, :ends) AS wanted (tenant_id, start_at, end_at)
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(hash_record_extended(ROW(
            rollups.tenant_id, rollups.bucket, rollups.application_id, rollups.key_id,
            rollups.model, rollups.meter, rollups.quantity, rollups.event_count, rollups.labels
        ), 0)::numeric), 0)::text AS mark
        FROM rollups
        WHERE rollups.tenant_id = wanted.tenant_id
            AND rollups.bucket >= wanted.start_at AND rollups.bucket < wanted.end_at
    ) AS used
    CROSS JOIN LATERAL (
        SELECT sum(hash_record_extended(usage_values, 0)::numeric)::text AS mark
        FROM usage_values
        WHERE usage_values.tenant_id = wanted.tenant_id
            AND usage_values.bucket >= wanted.start_at AND usage_values.bucket < wanted.end_at
    ) AS valued
    CROSS JOIN LATERAL (
        SELECT trim_scale(nullif(sum(calls.used), 0))::text AS used
        FROM credit_reservations AS calls
        WHERE calls.tenant_id = wanted.tenant_id
            AND calls.made_at >= wanted.start_at AND calls.made_at < wanted.end_at
    ) AS paid
    """
).bindparams(
    bindparam("tenants", type_=ARRAY(Text)),
    bindparam("starts", type_=ARRAY(DateTime(timezone=True))),
    bindparam("ends", type_=ARRAY(DateTime(timezone=True))),
)


_AGREED = text(
    """
    SELECT tenant_id, string_agg(kind || count, '.' ORDER BY kind) FROM (
      SELECT tenant_id, 'a' AS kind, count(*) FROM contract_amendments
      WHERE tenant_id = ANY(:tenants) GROUP BY 1
      UNION ALL
      SELECT tenant_id, 'c', count(*) FROM contracts WHERE tenant_id = ANY(:tenants) GROUP BY 1
      UNION ALL
      SELECT tenant_id, 'r', count(*) FROM coupon_redemptions
      WHERE tenant_id = ANY(:tenants) GROUP BY 1
    ) AS agreed GROUP BY tenant_id
    """
).bindparams(bindparam("tenants", type_=ARRAY(Text)))


async def usage_marks(
    connection: AsyncConnection, windows: Sequence[Window]
) -> dict[tuple[str, datetime], str]:
    """Return the mark of what is rated in each period, by tenant and start.

    Read marks before the usage itself: what arrives in between is then billed, and its mark merely
    looks outdated; no usage is missed.
    """
    if not windows:
        return {}
    marks = await connection.execute(
        _MARKS,
        {
            "tenants": [tenant_id for tenant_id, _, _ in windows],
            "starts": [start for _, start, _ in windows],
            "ends": [end for _, _, end in windows],
        },
    )
    tenants = sorted({tenant_id for tenant_id, _, _ in windows})
    rows = await connection.execute(_AGREED, {"tenants": tenants})
    agreed = {tenant_id: f" {words}" for tenant_id, words in rows}
    return {
        (tenant_id, start): mark + agreed.get(tenant_id, "") for tenant_id, start, mark in marks
    }


async def billed(
    connection: AsyncConnection, tenant_ids: Iterable[str], now: datetime, settings: Settings
) -> dict[str, list[tuple[BillingPeriod, str]]]:
    """Return the tenants' invoiced periods that late events can reach, oldest first, with marks."""
    # Ingest refuses events that are older; one more day is for events under way.
    oldest = now - timedelta(days=settings.event_max_age_days + 1)
    query = (
        select(billed_periods)
        .where(
            billed_periods.c.tenant_id.in_(list(tenant_ids)), billed_periods.c.period_end >= oldest
        )
        .order_by(billed_periods.c.tenant_id, billed_periods.c.period_start)
    )
    periods: dict[str, list[tuple[BillingPeriod, str]]] = {}
    for row in (await connection.execute(query)).mappings():
        period = BillingPeriod(row["period_start"], row["period_end"], row["time_zone"])
        periods.setdefault(row["tenant_id"], []).append((period, row["usage_mark"]))
    return periods


async def keep_marks(connection: AsyncConnection, marks: Sequence[Mark]) -> None:
    """Store for what usage periods were billed."""
    if not marks:
        return
    kept = insert(billed_periods)
    kept = kept.on_conflict_do_update(
        index_elements=[billed_periods.c.tenant_id, billed_periods.c.period_start],
        set_={"usage_mark": kept.excluded.usage_mark},
    )
    await connection.execute(
        kept,
        [
            {
                "tenant_id": tenant_id,
                "period_start": period.start,
                "period_end": period.end,
                "time_zone": period.time_zone,
                "usage_mark": mark,
            }
            for tenant_id, period, mark in marks
        ],
    )
