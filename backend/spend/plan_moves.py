"""A plan's versions: their differences, and moving tenants to the latest after a preview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.clocks import acted_on
from backend.accounts.principal import Principal
from backend.accounts.tenants import find_tenant
from backend.catalog import published as catalog
from backend.catalog.errors import PlanNotFound, PlanVersionNotFound
from backend.errors import InvalidInput
from backend.kit.pages import Cursor, page_of
from backend.pricing.charges.own_prices import with_own_prices
from backend.pricing.charges.price_lists import in_currency
from backend.pricing.plan_diff import diff
from backend.pricing.rating.stretches import Stretch
from backend.spend.gathering import metered_period, metered_stretches
from backend.storage.database import Database
from backend.storage.tables import plan_versions, subscriptions
from backend.subscriptions.changes import effective_quarter, offered_add_ons
from backend.subscriptions.periods import period_at
from backend.subscriptions.segments import (
    OF_PLAN_VERSION,
    Segment,
    lock_subscriptions,
    read_segments,
    replace_from,
    segment_from,
)
from backend.subscriptions.stretches import TakenUp, plans_taken_up
from backend_client.types.common import Money, Page
from backend_client.types.plan_versions import MigratedTenant, MigrationRequest, PlanDiff
from backend_client.types.plans import Plan


async def list_versions(connection: AsyncConnection, plan_id: str) -> list[Plan]:
    """Return all versions of a plan, tenants' own among them, oldest first; raise ``NotFound``."""
    query = select(plan_versions).where(plan_versions.c.plan_id == plan_id)
    rows = await connection.execute(query.order_by(plan_versions.c.version))
    versions = [catalog.plan_from(row) for row in rows.mappings()]
    if not versions:
        raise PlanNotFound(f"There is no plan {plan_id!r}.")
    return versions


async def diff_versions(
    connection: AsyncConnection, plan_id: str, before: int, after: int
) -> PlanDiff:
    """Return what changed between two versions; raise ``NotFound``."""
    definitions = {
        plan.version: plan.definition for plan in await list_versions(connection, plan_id)
    }
    for version in (before, after):
        if version not in definitions:
            raise PlanVersionNotFound(f"Plan {plan_id!r} has no version {version}.")
    changes = diff(definitions[before], definitions[after])
    return PlanDiff(plan=plan_id, before=before, after=after, changes=changes)


async def migrate_plan(
    database: Database,
    plan_id: str,
    wanted: MigrationRequest,
    now: datetime,
    *,
    caller: Principal,
    cursor: str | None,
    limit: int,
) -> Page[MigratedTenant]:
    """Move a page of the tenants on older versions to the latest, or only preview it.

    Those on test clocks stay, since ``at`` is another instant for each: a change of plan moves one.
    Seats, add-ons, a trial's end and scheduled changes stay. Each tenant is moved in a transaction
    of its own; one that was moved before is not selected again. Raises ``NotFound`` for a plan that
    is not on sale, ``InvalidInput`` for an ``at`` in the past.
    """
    at = effective_quarter(wanted.at, now)
    async with database.begin() as connection:
        latest = await catalog.latest_plan(connection, plan_id)
        query = (
            select(subscriptions.c.tenant_id)
            .join(plan_versions, OF_PLAN_VERSION)
            .where(
                subscriptions.c.plan_id == plan_id,
                func.coalesce(plan_versions.c.base_version, plan_versions.c.version)
                < latest.version,
                subscriptions.c.start_at <= at,
                or_(subscriptions.c.end_at.is_(None), subscriptions.c.end_at > at),
                acted_on(subscriptions.c.tenant_id, None),
            )
            .order_by(subscriptions.c.tenant_id)
            .limit(limit + 1)
        )
        if cursor is not None:
            query = query.where(subscriptions.c.tenant_id > Cursor.read(cursor))
        affected = list(await connection.scalars(query))
    page = page_of(affected, limit, str)
    moved = []
    for tenant_id in page.items:
        async with database.begin() as connection:
            seen = await _preview(connection, tenant_id, latest, at, now)
            if not wanted.preview and seen.problem is None:
                await _move(connection, tenant_id, latest, at, now)
                detail = {"plan": plan_id, "version": latest.version, "at": at.isoformat()}
                await record(
                    connection,
                    caller,
                    "subscription.migrate",
                    plan_id,
                    tenant_id=tenant_id,
                    detail=detail,
                )
            moved.append(seen)
    return Page(items=moved, next_cursor=page.next_cursor)


async def _preview(
    connection: AsyncConnection, tenant_id: str, latest: Plan, at: datetime, now: datetime
) -> MigratedTenant:
    tenant = await find_tenant(connection, tenant_id)
    opened = await metered_period(connection, tenant, await period_at(connection, tenant, now))
    present = Money(amount=opened.rate().total, currency=tenant.currency)
    rows = await read_segments(connection, tenant_id, since=at)
    before = segment_from(rows[0]).terms.plan
    version = before.version
    try:
        plan = in_currency(latest.definition, tenant.currency)
        if before.own_prices:
            plan = with_own_prices(latest.definition, tenant.currency, before.own_prices)
    except (ValueError, InvalidInput) as error:
        return MigratedTenant(
            tenant=tenant.id,
            from_version=version,
            present=present,
            migrated=None,
            problem=str(error),
        )
    taken_up = await plans_taken_up(connection, tenant_id, opened.period.end)
    stretches = [
        # Its present version may have no fee that goes by when it was taken up
        replace(_since(taken_up, stretch), plan=plan, plan_version=latest.version)
        if stretch.plan is not None and stretch.plan.id == plan.id
        else stretch
        for stretch in opened.stretches
    ]
    # Metered again: the version may have other windows and labels
    metered = await metered_stretches(connection, tenant.id, stretches)
    migrated = replace(opened, stretches=metered).rate().total
    return MigratedTenant(
        tenant=tenant.id,
        from_version=version,
        present=present,
        migrated=Money(amount=migrated, currency=tenant.currency),
    )


def _since(taken_up: Mapping[datetime, TakenUp], stretch: Stretch) -> Stretch:
    """Return a stretch that says when its plan was taken up, and what was had of it before."""
    begun = max((start for start in taken_up if start <= stretch.start), default=None)
    return stretch if begun is None else taken_up[begun].added_to(stretch, begun)


async def _move(
    connection: AsyncConnection, tenant_id: str, latest: Plan, at: datetime, now: datetime
) -> None:
    """Replace older versions by the latest from ``at`` on, on the same terms."""
    currency = await lock_subscriptions(connection, tenant_id)
    rows = [segment_from(row) for row in await read_segments(connection, tenant_id, since=now)]
    offered = offered_add_ons(latest)
    segments: list[Segment] = []
    for segment in rows:
        if segment.end is not None and segment.end <= at:
            continue
        terms = segment.terms
        if terms.plan.definition.id == latest.definition.id:
            kept = {name: count for name, count in terms.add_ons.items() if name in offered}
            plan = latest
            if prices := terms.plan.own_prices:
                plan = await catalog.own_version(connection, latest, tenant_id, currency, prices)
            terms = replace(terms, plan=plan, add_ons=kept)
        segments.append(replace(segment, start=max(segment.start, at), terms=terms))
    await replace_from(connection, tenant_id, rows, at, segments)
