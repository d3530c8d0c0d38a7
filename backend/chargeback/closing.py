"""Closes months: what their departments bear is kept, and changes no more."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.principal import Principal
from backend.chargeback.entries import keep_entries
from backend.chargeback.errors import (
    ChargebackMonthRunning,
    ChargebackMonthsInOrder,
    ChargebackWithoutPolicy,
)
from backend.chargeback.gathering import divide
from backend.chargeback.months import Month, Months, months_of
from backend.chargeback.policies import lock_chargeback, timeline_of
from backend.pricing.periods import INSTANT
from backend.settings import Settings
from backend.storage.tables import chargeback_months
from backend_client.types.accounts import Tenant
from backend_client.types.chargeback import MonthState


async def close_month(
    connection: AsyncConnection,
    settings: Settings,
    caller: Principal,
    tenant: Tenant,
    first_day: date,
    now: datetime,
) -> Month:
    """Close a month, with what earlier ones have to be adjusted by; a closed one stays as it is.

    Raises ``NotFound``, and ``Conflict`` if it is not invoiced yet, if an earlier month has to be
    closed first, or if no policy holds at its end.
    """
    await lock_chargeback(connection, tenant.id)
    months = await months_of(connection, tenant, now)
    month = months.find(first_day)
    if month.closed is not None:
        return month
    timeline = await timeline_of(connection, tenant)
    policy = timeline.at(month.period.end - INSTANT).policy
    if policy is None:
        raise ChargebackWithoutPolicy(
            f"No policy holds on {month.last_day}: keep one that begins by then."
        )
    _require_next(months, month)
    divided = await divide(connection, settings, tenant, months, month, timeline, now)
    await connection.execute(
        insert(chargeback_months).values(
            tenant_id=tenant.id,
            period_start=month.period.start,
            period_end=month.period.end,
            time_zone=month.period.time_zone,
            mode=policy.mode.value,
            usage_marks=divided.marks,
            closed_at=now,
            closed_by=caller.id,
        )
    )
    await keep_entries(connection, tenant.id, month.period.start, divided.entries)
    target = first_day.isoformat()
    detail = {"mode": policy.mode.value, "entries": len(divided.entries)}
    await record(connection, caller, "chargeback.close", target, tenant_id=tenant.id, detail=detail)
    return (await months_of(connection, tenant, now)).find(first_day)


def _require_next(months: Months, month: Month) -> None:
    """Raise ``Conflict`` unless the month is the one to close now."""
    if month.state is MonthState.RUNNING:
        raise ChargebackMonthRunning(
            "Its invoice is not issued yet; that happens some time after the month's end."
        )
    closed = months.closed
    if closed and not months.carries(month):
        following = next(
            (each for each in months.all if each.period.start == closed[-1].period.end), None
        )
        first = "" if following is None else f" The next is {following.first_day}."
        raise ChargebackMonthsInOrder(f"Months are closed one after the other.{first}")
