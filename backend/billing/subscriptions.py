"""Which plan version a tenant is on, when. Changes happen at quarter hours, as rollups split."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.billing import catalog
from backend.errors import Conflict, Forbidden, InvalidInput, NotFound
from backend.ids import new_id
from backend.pricing.charges import asks_for_nothing
from backend.pricing.periods import (
    BillingPeriod,
    is_quarter_hour,
    next_quarter_hour,
    quarter_hour_of,
)
from backend.pricing.price_lists import in_currency
from backend.pricing.rating import Stretch
from backend.storage.tables import declared_labels, plan_versions, subscriptions, tenants, wallets
from backend_client.types.plans import Plan, Subscription, SubscriptionChange
from backend_client.types.problems import FieldError


async def start_subscription(
    connection: AsyncConnection, tenant_id: str, plan_id: str | None, at: datetime
) -> Subscription:
    """Put a tenant that has no plan on one, from the quarter hour that holds ``at``.

    ``plan_id`` None takes the catalog's default. Raises ``NotFound`` for a plan not on sale,
    ``Conflict`` if the tenant has a subscription or another currency than the plan, and
    ``ConfigurationError`` if no catalog was ever applied.
    """
    currency = await _lock(connection, tenant_id)
    if await _rows(connection, tenant_id, since=quarter_hour_of(at)):
        raise Conflict("This tenant has a subscription already; change its plan instead.")
    plan = (
        await catalog.default_plan(connection)
        if plan_id is None
        else await catalog.latest_plan(connection, plan_id)
    )
    _same_currency(plan, currency)
    return await _add(connection, tenant_id, plan, quarter_hour_of(at))


async def current_subscription(
    connection: AsyncConnection, tenant_id: str, now: datetime
) -> Subscription:
    """Return the subscription in force, and the plan that follows it if a change is scheduled.

    Raises ``NotFound`` if the tenant has none now.
    """
    rows = await _rows(connection, tenant_id, since=now)
    if not rows or rows[0]["start_at"] > now:
        raise NotFound("This tenant has no plan now.")
    follows = len(rows) > 1 and rows[1]["start_at"] == rows[0]["end_at"]
    return _subscription(rows[0], catalog.plan_from(rows[1]) if follows else None)


async def change_plan(
    connection: AsyncConnection,
    tenant_id: str,
    change: SubscriptionChange,
    now: datetime,
    *,
    by_operator: bool = False,
) -> Subscription:
    """Move a tenant to the latest version of a plan, at a quarter hour; return that subscription.

    A change that was scheduled for later is dropped. Choosing the plan version that is in force
    just keeps it on. From a plan that asks for no money, ``at`` may be the start of the quarter
    hour that holds ``now``: no price is taken back by it, and who has used up a free quota can go
    on at once. Raises ``NotFound`` for a plan not on sale, ``InvalidInput`` for an ``at`` that is
    over or no quarter hour, ``Conflict`` if the plan is in another currency, ``Forbidden`` for a
    plan by contract unless ``by_operator``.
    """
    currency = await _lock(connection, tenant_id)
    plan = await catalog.latest_plan(connection, change.plan)
    if plan.definition.by_contract and not by_operator:
        raise Forbidden(f"Plan {plan.definition.name!r} is by contract: ask whoever runs this API.")
    _same_currency(plan, currency)
    rows = await _rows(connection, tenant_id, since=now)
    at = _effective(change, now, rows)
    await connection.execute(
        delete(subscriptions).where(
            subscriptions.c.tenant_id == tenant_id, subscriptions.c.start_at >= at
        )
    )
    kept = [row for row in rows if row["start_at"] < at]
    last = kept[-1] if kept else None
    if last is not None and last["end_at"] is not None and last["end_at"] < at:
        last = None  # it ended before, and nothing followed
    if last is not None:
        stays = _is(last, plan)
        await connection.execute(
            update(subscriptions)
            .where(subscriptions.c.tenant_id == tenant_id, subscriptions.c.id == last["id"])
            .values(end_at=None if stays else at)
        )
        if stays:
            return _subscription(last, None).model_copy(update={"end": None})
    return await _add(connection, tenant_id, plan, at)


async def plan_stretches(
    connection: AsyncConnection, tenant_id: str, period: BillingPeriod
) -> list[Stretch]:
    """Return how the period divides into stretches of one plan version, without their usage.

    They cover the period without a gap; where there was no subscription the plan is None. The
    present subscription counts until the period's end. Plans have their prices in the tenant's
    currency.
    """
    query = select(tenants.c.currency).where(tenants.c.id == tenant_id)
    currency = await connection.scalar(query)
    stretches: list[Stretch] = []
    reached = period.start
    for row in await _rows(connection, tenant_id, since=period.start, until=period.end):
        start = max(row["start_at"], period.start)
        end = min(row["end_at"] or period.end, period.end)
        if start > reached:
            stretches.append(Stretch(None, 0, reached, start))
        plan = catalog.plan_from(row)
        definition = in_currency(plan.definition, currency or plan.definition.currency)
        stretches.append(Stretch(definition, plan.version, start, end))
        reached = end
    if reached < period.end:
        stretches.append(Stretch(None, 0, reached, period.end))
    return stretches


def _effective(change: SubscriptionChange, now: datetime, rows: Sequence[RowMapping]) -> datetime:
    if change.at is None:
        return next_quarter_hour(now)
    in_force = catalog.plan_from(rows[0]).definition if rows else None
    from_now = in_force is None or asks_for_nothing(in_force)
    if not is_quarter_hour(change.at):
        detail = "must be a quarter hour: minute 0, 15, 30 or 45, and no seconds"
    elif change.at < (quarter_hour_of(now) if from_now else now):
        detail = "is over; usage that was already priced keeps its price"
    else:
        return change.at
    raise InvalidInput(f"'at' {detail}.", errors=[FieldError(field="at", detail=detail)])


def _same_currency(plan: Plan, currency: str) -> None:
    priced_in = [plan.definition.currency, *(one.currency for one in plan.definition.price_lists)]
    if currency not in priced_in:
        raise Conflict(
            f"Plan {plan.definition.id!r} is priced in {' and '.join(priced_in)}, "
            f"and this tenant is billed in {currency}."
        )


def _is(row: RowMapping, plan: Plan) -> bool:
    return (row["plan_id"], row["version"]) == (plan.definition.id, plan.version)


async def _lock(connection: AsyncConnection, tenant_id: str) -> str:
    """Hold other changes of the tenant's subscriptions until commit; return its currency."""
    query = select(tenants.c.currency).where(tenants.c.id == tenant_id)
    # Not the row's key: what refers to the tenant need not wait.
    query = query.with_for_update(key_share=True)
    currency: str | None = await connection.scalar(query)
    if currency is None:
        raise NotFound("There is no such tenant.")
    return currency


async def _rows(
    connection: AsyncConnection, tenant_id: str, *, since: datetime, until: datetime | None = None
) -> Sequence[RowMapping]:
    """Return the subscriptions that are on at ``since`` or later, in order, with their plans."""
    query = (
        select(subscriptions.c.id, subscriptions.c.start_at, subscriptions.c.end_at, plan_versions)
        .join_from(
            subscriptions,
            plan_versions,
            (plan_versions.c.plan_id == subscriptions.c.plan_id)
            & (plan_versions.c.version == subscriptions.c.plan_version),
        )
        .where(
            subscriptions.c.tenant_id == tenant_id,
            or_(subscriptions.c.end_at.is_(None), subscriptions.c.end_at > since),
        )
        .order_by(subscriptions.c.start_at)
    )
    if until is not None:
        query = query.where(subscriptions.c.start_at < until)
    return (await connection.execute(query)).mappings().all()


async def _look_at_grants_again(connection: AsyncConnection, tenant_id: str) -> None:
    """Have the wallet ask anew what credit the plan in force brings."""
    await connection.execute(
        insert(wallets)
        .values(tenant_id=tenant_id)
        .on_conflict_do_update(index_elements=[wallets.c.tenant_id], set_={"grants_until": None})
    )


async def _count_by_labels(connection: AsyncConnection, tenant_id: str, plan: Plan) -> None:
    """Have usage counted by the labels that the plan prices by."""
    names = sorted(plan.definition.priced_labels)
    if names:
        await connection.execute(
            insert(declared_labels)
            .values([{"tenant_id": tenant_id, "label": name} for name in names])
            .on_conflict_do_nothing()
        )


async def _add(
    connection: AsyncConnection, tenant_id: str, plan: Plan, start: datetime
) -> Subscription:
    await _look_at_grants_again(connection, tenant_id)
    await _count_by_labels(connection, tenant_id, plan)
    made = Subscription(id=new_id("sub"), plan=plan, start=start, end=None)
    await connection.execute(
        insert(subscriptions).values(
            tenant_id=tenant_id,
            id=made.id,
            plan_id=plan.definition.id,
            plan_version=plan.version,
            start_at=start,
        )
    )
    return made


def _subscription(row: RowMapping, next_plan: Plan | None) -> Subscription:
    return Subscription(
        id=row["id"],
        plan=catalog.plan_from(row),
        start=row["start_at"],
        end=row["end_at"],
        next_plan=next_plan,
    )
