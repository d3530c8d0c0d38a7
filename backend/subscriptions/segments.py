"""A subscription as it is stored: segments on the same terms, one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy import RowMapping, and_, bindparam, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.errors import TenantNotFound
from backend.catalog import published as catalog
from backend.ids import new_id
from backend.pricing.charges.price_lists import in_currency
from backend.storage.tables import (
    declared_labels,
    plan_versions,
    subscriptions,
    tenants,
    wallets,
)
from backend_client.types.plans import Plan, PlanDefinition
from backend_client.types.subscriptions import SubscriptionState

OF_PLAN_VERSION: Final = and_(
    plan_versions.c.plan_id == subscriptions.c.plan_id,
    plan_versions.c.version == subscriptions.c.plan_version,
)
"""Joins a subscription to the plan version that it is on."""

# Made once, for whoever rates, bills or grants begins with them
_SEGMENTS: Final = (
    select(
        subscriptions.c.id,
        subscriptions.c.start_at,
        subscriptions.c.end_at,
        subscriptions.c.state,
        subscriptions.c.seats,
        subscriptions.c.add_ons,
        plan_versions,
        tenants.c.currency,
    )
    .join_from(subscriptions, plan_versions, OF_PLAN_VERSION)
    .join(tenants, tenants.c.id == subscriptions.c.tenant_id)
    .where(
        subscriptions.c.tenant_id == bindparam("tenant_id"),
        or_(subscriptions.c.end_at.is_(None), subscriptions.c.end_at > bindparam("since")),
    )
    .order_by(subscriptions.c.start_at)
)
_SEGMENTS_UNTIL: Final = _SEGMENTS.where(subscriptions.c.start_at < bindparam("until"))


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a subscription: plan version, state, seats, add-ons."""

    plan: Plan
    state: SubscriptionState = SubscriptionState.ACTIVE
    seats: int = 1
    add_ons: Mapping[str, int] = field(default_factory=dict)

    def as_state(self, state: SubscriptionState) -> Terms:
        """Return the same terms in another state."""
        return replace(self, state=state)

    def plan_priced_in(self, currency: str) -> PlanDefinition:
        """Return the plan with its prices in a currency; raise ``ValueError`` without such."""
        return in_currency(self.plan.definition, currency)

    def same_plan(self, other: Terms) -> bool:
        """Return whether both are on the same version of the same plan."""
        return self._version == other._version

    def same(self, other: Terms) -> bool:
        """Return whether nothing differs."""
        mine = (self._version, self.state, self.seats, dict(self.add_ons))
        return mine == (other._version, other.state, other.seats, dict(other.add_ons))

    @property
    def _version(self) -> tuple[str, int]:
        return self.plan.definition.id, self.plan.version


@dataclass(frozen=True, slots=True)
class Segment:
    """Terms from ``start`` until ``end`` (None: open). ``trial_end`` is set on a trial."""

    start: datetime
    end: datetime | None
    terms: Terms
    id: str = ""
    trial_end: datetime | None = None


async def lock_subscriptions(connection: AsyncConnection, tenant_id: str) -> str:
    """Block other changes of the tenant's subscriptions until commit; return its currency."""
    query = select(tenants.c.currency).where(tenants.c.id == tenant_id)
    # Not the row's key, so that inserts which refer to the tenant need not wait.
    query = query.with_for_update(key_share=True)
    currency: str | None = await connection.scalar(query)
    if currency is None:
        raise TenantNotFound()
    return currency


async def read_segments(
    connection: AsyncConnection, tenant_id: str, *, since: datetime, until: datetime | None = None
) -> Sequence[RowMapping]:
    """Return the segments in force at ``since`` or later, in order, with their plans.

    Each says which ``currency`` its tenant pays in.
    """
    values = {"tenant_id": tenant_id, "since": since}
    query = _SEGMENTS
    if until is not None:
        query, values = _SEGMENTS_UNTIL, values | {"until": until}
    return (await connection.execute(query, values)).mappings().all()


def segment_from(row: RowMapping) -> Segment:
    """Return a row of ``read_segments`` as a segment."""
    state = SubscriptionState(row["state"])
    return Segment(
        row["start_at"],
        row["end_at"],
        Terms(catalog.plan_from(row), state, row["seats"], row["add_ons"]),
        row["id"],
        row["end_at"] if state is SubscriptionState.TRIAL else None,
    )


def last_before(segments: Sequence[Segment], at: datetime) -> Segment | None:
    """Return the segment that runs up to ``at``, if there is one."""
    kept = [segment for segment in segments if segment.start < at]
    if not kept or ((end := kept[-1].end) is not None and end < at):
        return None  # it ended before, and nothing followed
    return kept[-1]


async def replace_from(
    connection: AsyncConnection,
    tenant_id: str,
    present: Sequence[Segment],
    at: datetime,
    segments: Sequence[Segment],
) -> list[Segment]:
    """Replace all segments from ``at`` on by ``segments``; return those that are stored then.

    If the first has the terms of the segment before ``at``, that segment is extended and returned
    in its place. ``present`` are the tenant's segments before the change.
    """
    await connection.execute(
        delete(subscriptions).where(
            subscriptions.c.tenant_id == tenant_id, subscriptions.c.start_at >= at
        )
    )
    last = last_before(present, at)
    stored: list[Segment] = []
    for place, segment in enumerate(segments):
        if place == 0 and last is not None and last.terms.same(segment.terms):
            await _set_end(connection, tenant_id, last, segment.end)
            stored.append(replace(last, end=segment.end))
            continue
        if place == 0 and last is not None:
            await _set_end(connection, tenant_id, last, at)
        stored.append(await _add(connection, tenant_id, segment))
    if not segments and last is not None:
        await _set_end(connection, tenant_id, last, at)
    await _rederive_grants(connection, tenant_id)
    return stored


async def _set_end(
    connection: AsyncConnection, tenant_id: str, segment: Segment, end: datetime | None
) -> None:
    await connection.execute(
        update(subscriptions)
        .where(subscriptions.c.tenant_id == tenant_id, subscriptions.c.id == segment.id)
        .values(end_at=end)
    )


async def _add(connection: AsyncConnection, tenant_id: str, segment: Segment) -> Segment:
    terms = segment.terms
    stored = replace(segment, id=new_id("sub"))
    await connection.execute(
        insert(subscriptions).values(
            tenant_id=tenant_id,
            id=stored.id,
            plan_id=terms.plan.definition.id,
            plan_version=terms.plan.version,
            state=terms.state.value,
            seats=terms.seats,
            add_ons=dict(terms.add_ons),
            start_at=segment.start,
            end_at=segment.end,
        )
    )
    await _count_by_labels(connection, tenant_id, terms.plan)
    return stored


async def _rederive_grants(connection: AsyncConnection, tenant_id: str) -> None:
    """Let the wallet derive again which grants the plan in force brings."""
    await connection.execute(
        insert(wallets)
        .values(tenant_id=tenant_id)
        .on_conflict_do_update(index_elements=[wallets.c.tenant_id], set_={"grants_until": None})
    )


async def _count_by_labels(connection: AsyncConnection, tenant_id: str, plan: Plan) -> None:
    """Declare the labels that the plan prices by, so that usage is counted by them."""
    names = sorted(plan.definition.priced_labels)
    if names:
        await connection.execute(
            insert(declared_labels)
            .values([{"tenant_id": tenant_id, "label": name} for name in names])
            .on_conflict_do_nothing()
        )
