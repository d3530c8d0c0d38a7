"""How far each tenant is billed: the period that is invoiced next, and its lock.

One row a tenant, moved on in the transaction that issues the invoice. Only the process that holds
the row's lock bills the tenant; one that is killed releases it, and nothing has moved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, RowMapping, Select, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.clocks import acted_on
from backend.customers.profiles import NO_PROFILE, Profile, profile_from
from backend.ids import new_id
from backend.pricing.periods import BillingPeriod
from backend.storage.tables import billing_cursors, billing_profiles, subscriptions, tenants
from backend.subscriptions.periods import period_at
from backend_client.types.accounts import Tenant

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Unbilled:
    """A tenant with the first period that has no invoice; its draft has ``draft_id``."""

    tenant: Tenant
    profile: Profile
    draft_id: str
    period: BillingPeriod


class LeftOut(NamedTuple):
    """A tenant whose period, which starts then, could not be invoiced, and why."""

    slug: str
    period_start: datetime
    problem: str


async def open_cursors(connection: AsyncConnection) -> int:
    """Begin to bill tenants that subscribed since the last time; return how many.

    A tenant is billed from the period in which its first subscription begins.
    """
    opened = 0
    while True:
        query = (
            select(tenants, func.min(subscriptions.c.start_at).label("since"))
            .join(subscriptions, subscriptions.c.tenant_id == tenants.c.id)
            .outerjoin(billing_cursors, billing_cursors.c.tenant_id == tenants.c.id)
            .where(billing_cursors.c.tenant_id.is_(None))
            .group_by(tenants.c.id)
            .order_by(tenants.c.id)
            .limit(_PAGE)
        )
        rows = (await connection.execute(query)).mappings().all()
        if not rows:
            return opened
        values = [await _first(connection, row) for row in rows]
        await connection.execute(insert(billing_cursors).on_conflict_do_nothing(), values)
        opened += len(rows)


async def unbilled(
    connection: AsyncConnection, tenant_id: str, *, lock: bool = False
) -> Unbilled | None:
    """Return the next period to invoice of a tenant; None if it never subscribed.

    With ``lock`` nobody else bills the tenant until the transaction ends, nor draws on its balance:
    also where it never subscribed, since it may have invoices beside the billing of periods.
    """
    query = _query().where(billing_cursors.c.tenant_id == tenant_id)
    if lock:
        query = query.with_for_update(of=billing_cursors)
    row = (await connection.execute(query)).mappings().first()
    if row is not None:
        return _unbilled(row)
    if lock:  # there is no cursor to lock, and none comes meanwhile: to subscribe takes this too
        tenant_row = select(tenants.c.id).where(tenants.c.id == tenant_id)
        await connection.execute(tenant_row.with_for_update(key_share=True))
    first = (
        select(tenants, func.min(subscriptions.c.start_at).label("since"))
        .join(subscriptions, subscriptions.c.tenant_id == tenants.c.id)
        .where(tenants.c.id == tenant_id)
        .group_by(tenants.c.id)
    )
    row_of_first = (await connection.execute(first)).mappings().first()
    if row_of_first is None:
        return None
    values = await _first(connection, row_of_first)
    await connection.execute(insert(billing_cursors).values(**values).on_conflict_do_nothing())
    return _unbilled((await connection.execute(query)).mappings().one())


async def lock_cursors(connection: AsyncConnection, tenant_ids: Iterable[str]) -> None:
    """Keep other processes from billing these tenants until the transaction ends.

    For loading usage of periods that are over, so that it is not billed as late. The cursors must
    be open: one that is opened here would keep others waiting instead of passing over it.
    """
    query = (
        select(billing_cursors.c.tenant_id)
        .where(billing_cursors.c.tenant_id.in_(list(tenant_ids)))
        .order_by(billing_cursors.c.tenant_id)
        .with_for_update()
    )
    await connection.execute(query)


async def claim_due_tenants(
    connection: AsyncConnection,
    ended_by: datetime,
    run_id: str,
    limit: int,
    *,
    among: Collection[str] | None = None,
    shuffle: str | None = None,
    only: str | None = None,
) -> list[Unbilled]:
    """Claim up to ``limit`` tenants with a period over at ``ended_by``, locked until the commit.

    Tenants that another process holds are passed over, and those that failed in this run. ``among``
    limits the claim to these tenants. ``shuffle`` makes an order of its own for each value, so that
    workers which read tenants before they claim them do not all read the same. ``only`` claims one
    tenant, also one on a test clock.
    """
    first: ColumnElement[Any] = billing_cursors.c.period_end
    if shuffle is not None:
        first = func.md5(billing_cursors.c.tenant_id.concat(shuffle))
    query = (
        _query()
        .where(_due(ended_by, only), _not_failed_in(run_id))
        .order_by(first, billing_cursors.c.tenant_id)
        .limit(limit)
        .with_for_update(of=billing_cursors, skip_locked=True)
    )
    if among is not None:
        query = query.where(billing_cursors.c.tenant_id.in_(among))
    return [_unbilled(row) for row in (await connection.execute(query)).mappings()]


async def count_due(connection: AsyncConnection, ended_by: datetime, run_id: str = "") -> int:
    """Count the tenants with a period to close, less those that failed in the run."""
    query = (
        select(func.count())
        .select_from(billing_cursors)
        .where(_due(ended_by), _not_failed_in(run_id))
    )
    return int(await connection.scalar(query) or 0)


async def is_due(connection: AsyncConnection, ended_by: datetime, *, failed_too: bool) -> bool:
    """Return whether a tenant has a period to close; ``failed_too`` counts those that failed."""
    wanted = _due(ended_by)
    if not failed_too:
        wanted &= billing_cursors.c.failed_run.is_(None)
    return bool(await connection.scalar(select(exists().where(wanted))))


async def move_on(connection: AsyncConnection, done: Sequence[Unbilled]) -> None:
    """Move cursors to the period that follows the closed one."""
    if not done:
        return
    moved = insert(billing_cursors)
    moved = moved.on_conflict_do_update(
        index_elements=[billing_cursors.c.tenant_id],
        set_={
            name: moved.excluded[name]
            for name in ("draft_id", "period_start", "period_end", "time_zone")
        }
        | {"failed_run": None, "problem": None},
    )
    values = [
        _values(closed.tenant.id, await period_at(connection, closed.tenant, closed.period.end))
        for closed in done
    ]
    await connection.execute(moved, values)


async def problem_of(connection: AsyncConnection, tenant_id: str) -> str | None:
    """Return why a tenant's last invoice could not be made; None if it could."""
    query = select(billing_cursors.c.problem).where(billing_cursors.c.tenant_id == tenant_id)
    problem: str | None = await connection.scalar(query)
    return problem


async def set_failed(
    connection: AsyncConnection, tenant_id: str, run_id: str, problem: str
) -> None:
    """Leave a tenant out for the rest of a run, with the reason."""
    await connection.execute(
        update(billing_cursors)
        .where(billing_cursors.c.tenant_id == tenant_id)
        .values(failed_run=run_id, problem=problem[:1000])
    )


async def set_problem(connection: AsyncConnection, tenant_id: str, problem: str | None) -> None:
    """Record why a tenant's running period could not be billed in part; None clears it."""
    await connection.execute(
        update(billing_cursors)
        .where(billing_cursors.c.tenant_id == tenant_id)
        .values(problem=problem and problem[:1000])
    )


async def left_out(connection: AsyncConnection) -> list[LeftOut]:
    """Return the tenants whose last invoice could not be made, the longest due first."""
    query = (
        select(tenants.c.slug, billing_cursors.c.period_start, billing_cursors.c.problem)
        .join(tenants, tenants.c.id == billing_cursors.c.tenant_id)
        .where(billing_cursors.c.problem.is_not(None), acted_on(billing_cursors.c.tenant_id, None))
        .order_by(billing_cursors.c.period_end, tenants.c.slug)
    )
    return [LeftOut(*row) for row in await connection.execute(query)]


def _due(ended_by: datetime, only: str | None = None) -> ColumnElement[bool]:
    return (billing_cursors.c.period_end <= ended_by) & acted_on(billing_cursors.c.tenant_id, only)


def _not_failed_in(run_id: str) -> ColumnElement[bool]:
    return billing_cursors.c.failed_run.is_distinct_from(run_id)


def _query() -> Select[Any]:
    return (
        select(
            tenants,
            billing_cursors.c.draft_id,
            billing_cursors.c.period_start,
            billing_cursors.c.period_end,
            billing_cursors.c.time_zone.label("period_zone"),
            *[
                column.label(f"profile_{column.name}")
                for column in billing_profiles.c
                if column.name != "tenant_id"
            ],
            billing_profiles.c.tenant_id.is_not(None).label("has_profile"),
        )
        .select_from(billing_cursors)
        .join(tenants, tenants.c.id == billing_cursors.c.tenant_id)
        .outerjoin(billing_profiles, billing_profiles.c.tenant_id == tenants.c.id)
    )


def _unbilled(row: RowMapping) -> Unbilled:
    profile = NO_PROFILE
    if row["has_profile"]:
        profile = profile_from(
            {
                name.removeprefix("profile_"): value
                for name, value in row.items()
                if name.startswith("profile_")
            }
        )
    return Unbilled(
        Tenant.model_validate(dict(row)),
        profile,
        row["draft_id"],
        BillingPeriod(row["period_start"], row["period_end"], row["period_zone"]),
    )


async def _first(connection: AsyncConnection, row: RowMapping) -> dict[str, Any]:
    tenant = Tenant.model_validate(dict(row))
    return _values(tenant.id, await period_at(connection, tenant, row["since"]))


def _values(tenant_id: str, period: BillingPeriod) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "draft_id": new_id("inv"),
        "period_start": period.start,
        "period_end": period.end,
        "time_zone": period.time_zone,
    }
