"""Changes of subscriptions. They happen at quarter hours, where rollups are divided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.catalog import published as catalog
from backend.errors import InvalidInput
from backend.pricing.charges.kinds import asks_for_nothing
from backend.pricing.periods import is_quarter_hour, next_quarter_hour, quarter_hour_of
from backend.storage.tables import subscriptions
from backend.subscriptions.backdating import check_backdated
from backend.subscriptions.errors import (
    NoYearlyFee,
    PlanByContract,
    PlanCurrencyMismatch,
    PricesByOperator,
    SubscriptionAlreadyPaused,
    SubscriptionExists,
    SubscriptionNotFound,
    SubscriptionNotPaused,
)
from backend.subscriptions.periods import period_at
from backend.subscriptions.queries import described
from backend.subscriptions.rated_elsewhere import boundary_from
from backend.subscriptions.segments import (
    Segment,
    Terms,
    last_before,
    lock_subscriptions,
    read_segments,
    replace_from,
    segment_from,
)
from backend_client.types.charges import FlatCharge, FlatPer
from backend_client.types.plans import Plan
from backend_client.types.problems import FieldError
from backend_client.types.subscriptions import (
    Subscription,
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
    SubscriptionState,
)


async def start_subscription(
    connection: AsyncConnection, tenant_id: str, plan_id: str | None, at: datetime
) -> Subscription:
    """Subscribe a tenant that has no plan, from the quarter hour that ``at`` is in.

    ``plan_id`` None takes the catalog's default. Raises ``NotFound`` for a plan not on sale,
    ``Conflict`` if the tenant has a subscription or another currency than the plan, and
    ``ConfigurationError`` if no catalog was ever applied.
    """
    currency = await lock_subscriptions(connection, tenant_id)
    start = quarter_hour_of(at)
    if await read_segments(connection, tenant_id, since=start):
        raise SubscriptionExists()
    plan = (
        await catalog.default_plan(connection)
        if plan_id is None
        else await catalog.latest_plan(connection, plan_id)
    )
    _same_currency(plan, currency)
    segments = await _segments_of(connection, tenant_id, Terms(plan), start, None)
    stored = await replace_from(connection, tenant_id, [], start, segments)
    return await described(connection, tenant_id, stored, start)


async def change_plan(
    connection: AsyncConnection,
    tenant_id: str,
    change: SubscriptionChange,
    now: datetime,
    *,
    by_operator: bool = False,
) -> Subscription:
    """Move a tenant to the latest version of a plan, at a quarter hour; return that subscription.

    Where a platform rates the tenant's usage, that is where a billing period begins. A change that
    was scheduled for later is dropped. Choosing the plan version in force keeps it.
    From a plan that costs nothing, ``at`` may be the start of the quarter hour that ``now`` is in:
    no price changes afterwards, and a tenant that has used up a free quota can continue at once. A
    tenant has one trial, of whichever plan; changes of seats and add-ons do not end it. Raises
    ``NotFound``
    for a plan not on sale, ``InvalidInput`` for an ``at`` that is past or not a quarter hour and
    for prices that the plan can't have, ``Conflict`` if the plan is in another currency or ``at``
    within a period that a platform rates, ``Forbidden`` for a plan by contract and prices unless
    ``by_operator``. The operator alone may give an ``at`` that is past: see ``check_backdated``.
    """
    currency = await lock_subscriptions(connection, tenant_id)
    plan = await catalog.latest_plan(connection, change.plan)
    if plan.definition.by_contract and not by_operator:
        raise PlanByContract(
            f"Plan {plan.definition.name!r} is by contract: ask whoever runs this API."
        )
    if change.prices is not None and not by_operator:
        raise PricesByOperator()
    _same_currency(plan, currency)
    since = now if change.at is None else min(change.at, now)
    rows = [segment_from(row) for row in await read_segments(connection, tenant_id, since=since)]
    present = [segment for segment in rows if segment.end is None or segment.end > now]
    if by_operator and change.at is not None and change.at < _earliest(now, present):
        at = change.at
        replaced = [segment.terms.plan.definition for segment in rows]
        await check_backdated(connection, tenant_id, at, [plan.definition, *replaced], now)
    else:
        at = _effective(change.at, now, present)
    at = await boundary_from(connection, tenant_id, at, wanted=change.at)
    last = last_before(rows, at)
    same_plan = last is not None and last.terms.plan.definition.id == plan.definition.id
    seats, add_ons = change.seats, change.add_ons
    if seats is None:
        seats = last.terms.seats if last is not None else 1
    if add_ons is None:
        add_ons = dict(last.terms.add_ons) if last is not None and same_plan else {}
    prices = change.prices
    if prices is None and last is not None and same_plan:
        prices = last.terms.plan.own_prices
    if prices:
        plan = await catalog.own_version(connection, plan, tenant_id, currency, prices)
    terms = Terms(plan, SubscriptionState.ACTIVE, seats, _add_ons(plan, add_ons))
    segments = await _segments_of(connection, tenant_id, terms, at, last if same_plan else None)
    stored = await replace_from(connection, tenant_id, rows, at, segments)
    running = [segment for segment in stored if segment.end is None or segment.end > now]
    return await described(connection, tenant_id, running, now)


async def pause(
    connection: AsyncConnection, tenant_id: str, wanted: SubscriptionPause, now: datetime
) -> Subscription:
    """Pause the subscription: no fee runs and the gateway refuses calls until it resumes.

    Raises ``NotFound`` if there is no plan then, ``Conflict`` if it is paused or a time is within a
    period that a platform rates, ``InvalidInput`` for times that are past or not quarter hours.
    """
    await lock_subscriptions(connection, tenant_id)
    rows = [segment_from(row) for row in await read_segments(connection, tenant_id, since=now)]
    at = effective_quarter(wanted.at, now)
    at = await boundary_from(connection, tenant_id, at, wanted=wanted.at)
    last = _in_force(rows, at)
    if last.terms.state is SubscriptionState.PAUSED:
        raise SubscriptionAlreadyPaused()
    until = None if wanted.until is None else _to_come(wanted.until, at, "until")
    if until is not None:
        await boundary_from(connection, tenant_id, until, wanted=until)
    segments = [Segment(at, until, last.terms.as_state(SubscriptionState.PAUSED))]
    if until is not None:
        segments.append(Segment(until, None, last.terms.as_state(SubscriptionState.ACTIVE)))
    stored = await replace_from(connection, tenant_id, rows, at, segments)
    return await described(connection, tenant_id, stored, now)


async def resume(connection: AsyncConnection, tenant_id: str, now: datetime) -> Subscription:
    """Resume a paused subscription, from the next quarter hour; if a platform rates it, period.

    Raises ``NotFound`` without a plan, ``Conflict`` if it is not paused.
    """
    await lock_subscriptions(connection, tenant_id)
    rows = [segment_from(row) for row in await read_segments(connection, tenant_id, since=now)]
    at = await boundary_from(connection, tenant_id, next_quarter_hour(now), wanted=None)
    last = _in_force(rows, at)
    if last.terms.state is not SubscriptionState.PAUSED:
        raise SubscriptionNotPaused()
    segment = Segment(at, None, last.terms.as_state(SubscriptionState.ACTIVE))
    stored = await replace_from(connection, tenant_id, rows, at, [segment])
    return await described(connection, tenant_id, stored, now)


async def cancel(
    connection: AsyncConnection, tenant_id: str, wanted: SubscriptionCancel, now: datetime
) -> Subscription:
    """End the subscription: with its billing period, its year, or at the next quarter hour.

    What was scheduled after that is dropped; choosing a plan revokes it. Returns the subscription.
    Raises ``NotFound`` without a plan, ``Conflict`` if no yearly fee would be asked for again or it
    is within a period that a platform rates.
    """
    await lock_subscriptions(connection, tenant_id)
    rows = [segment_from(row) for row in await read_segments(connection, tenant_id, since=now)]
    at = next_quarter_hour(now)
    if wanted.when == "period_end":
        tenant = await find_tenant(connection, tenant_id)
        at = (await period_at(connection, tenant, now)).end
    present = _in_force(rows, now)
    if wanted.when == "year_end":
        renews_at = (await described(connection, tenant_id, rows, now)).renews_at
        if renews_at is None:
            raise NoYearlyFee()
        at = renews_at
    at = await boundary_from(connection, tenant_id, at, wanted=at)
    await replace_from(connection, tenant_id, rows, at, [])
    kept = [segment for segment in rows if present.start < segment.start < at]
    *earlier, last = [present, *kept]
    return await described(connection, tenant_id, [*earlier, replace(last, end=at)], now)


async def _segments_of(
    connection: AsyncConnection,
    tenant_id: str,
    terms: Terms,
    at: datetime,
    continued: Segment | None,
) -> list[Segment]:
    """Return what follows ``at``: a trial first, if the plan has one and the tenant had none yet.

    ``continued`` is the segment before, if it is of the same plan.
    """
    plan = terms.plan.definition
    if continued is not None and continued.terms.state is SubscriptionState.TRIAL:
        until = continued.trial_end
    elif plan.trial_days and not await _tried_before(connection, tenant_id, plan.id, at):
        until = at + timedelta(days=plan.trial_days)
    else:
        until = None
    if until is None or until <= at:
        return [Segment(at, None, terms)]
    follows = terms
    if plan.trial_ends:
        follows = Terms(await catalog.default_plan(connection))
    return [
        Segment(at, until, terms.as_state(SubscriptionState.TRIAL), trial_end=until),
        Segment(until, None, follows),
    ]


async def _tried_before(
    connection: AsyncConnection, tenant_id: str, plan_id: str, at: datetime
) -> bool:
    """Return whether a tenant has been on a plan, or on trial of any: one after another is free."""
    query = select(subscriptions.c.id).where(
        subscriptions.c.tenant_id == tenant_id,
        or_(
            subscriptions.c.plan_id == plan_id,
            subscriptions.c.state == SubscriptionState.TRIAL.value,
        ),
        subscriptions.c.start_at < at,
    )
    return await connection.scalar(query.limit(1)) is not None


def _effective(at: datetime | None, now: datetime, rows: Sequence[Segment]) -> datetime:
    return next_quarter_hour(now) if at is None else _to_come(at, _earliest(now, rows), "at")


def _earliest(now: datetime, rows: Sequence[Segment]) -> datetime:
    """Return from when on a change may take effect: this quarter hour, if it had no price."""
    in_force = rows[0].terms.plan.definition if rows else None
    from_now = in_force is None or asks_for_nothing(in_force)
    return quarter_hour_of(now) if from_now else now


def effective_quarter(at: datetime | None, now: datetime) -> datetime:
    """Return the quarter hour at which a change takes effect: ``at``, or the next.

    Raises ``InvalidInput`` for an ``at`` that is past or not a quarter hour.
    """
    return next_quarter_hour(now) if at is None else _to_come(at, now, "at")


def _to_come(at: datetime, since: datetime, field: str) -> datetime:
    if not is_quarter_hour(at):
        detail = "must be a quarter hour: minute 0, 15, 30 or 45, and no seconds"
    elif at < since:
        detail = "is past; usage that was already priced keeps its price"
    elif field == "until" and at == since:
        detail = "must be after the pause begins"
    else:
        return at
    raise InvalidInput.of_field(field, detail)


def _in_force(rows: Sequence[Segment], at: datetime) -> Segment:
    for segment in rows:
        if segment.start <= at and (segment.end is None or at < segment.end):
            return segment
    raise SubscriptionNotFound("This tenant has no plan then.")


def offered_add_ons(plan: Plan) -> set[str]:
    """Return the ids of a plan's add-ons."""
    return {
        charge.id
        for charge in plan.definition.charges
        if isinstance(charge, FlatCharge) and charge.per is FlatPer.ADD_ON
    }


def _add_ons(plan: Plan, chosen: dict[str, int]) -> dict[str, int]:
    offered = offered_add_ons(plan)
    for name in chosen:
        if name not in offered:
            detail = f"plan {plan.definition.id!r} has no add-on {name!r}"
            field = FieldError(field=f"add_ons.{name}", detail=detail)
            raise InvalidInput(f"There is a mistake: {detail}.", errors=[field])
    return {name: count for name, count in sorted(chosen.items()) if count}


def _same_currency(plan: Plan, currency: str) -> None:
    priced_in = [
        plan.definition.currency,
        *(prices.currency for prices in plan.definition.price_lists),
    ]
    if currency not in priced_in:
        raise PlanCurrencyMismatch(
            f"Plan {plan.definition.id!r} is priced in {' and '.join(priced_in)}, "
            f"and this tenant is billed in {currency}."
        )
