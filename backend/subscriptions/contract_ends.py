"""What follows a contract that has ended: the plan that it names."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.clocks import acted_on
from backend.accounts.tenants import find_tenant
from backend.errors import FareboxError, NotFound
from backend.storage.tables import contracts
from backend.subscriptions.changes import change_plan
from backend.subscriptions.contracts import contract_in_force, find_contract, last_end
from backend.subscriptions.queries import current_subscription
from backend_client.types.subscriptions import SubscriptionChange


class Followed(NamedTuple):
    """A contract that ended, and the plan that its tenant moved to; none if it could not."""

    tenant_id: str
    contract_id: str
    plan: str | None
    problem: str | None = None


async def tenants_with_ended(
    connection: AsyncConnection, now: datetime, *, only: str | None = None
) -> list[str]:
    """Return the tenants with contracts that ended by ``now`` and that nobody looked at.

    Or ``only`` one tenant, also one on a test clock.
    """
    query = select(contracts.c.tenant_id).where(_ended(now, only)).distinct()
    return list(await connection.scalars(query.order_by(contracts.c.tenant_id)))


def _ended(now: datetime, only: str | None) -> ColumnElement[bool]:
    return and_(
        contracts.c.definition["then_plan"].astext.is_not(None),
        contracts.c.followed_at.is_(None),
        contracts.c.end_at <= now,
        acted_on(contracts.c.tenant_id, only),
    )


async def follow_ended_contracts(
    connection: AsyncConnection, now: datetime, *, only: str | None = None
) -> list[Followed]:
    """Move tenants whose contracts ended by ``now`` to the plans that follow, each once.

    Or ``only`` one tenant, also one on a test clock.

    The plan begins where the contract ended. A tenant with a contract that follows, or without a
    subscription by then, stays as it is. A plan that can't be had then is a problem that is told.
    """
    query = (
        select(contracts.c.tenant_id, contracts.c.id, contracts.c.definition["then_plan"].astext)
        .where(_ended(now, only))
        .order_by(contracts.c.tenant_id, contracts.c.start_at)
        # Not the rows' keys: an amendment, which refers to one, need not wait
        .with_for_update(skip_locked=True, key_share=True)
    )
    followed: list[Followed] = []
    for tenant_id, contract_id, plan in (await connection.execute(query)).all():
        tenant = await find_tenant(connection, tenant_id)
        contract = await find_contract(connection, tenant_id, contract_id)
        ended = await last_end(connection, tenant, contract, now)
        if ended is None:
            continue
        problem = None
        if await contract_in_force(connection, tenant, ended) is None:
            try:
                await current_subscription(connection, tenant_id, ended)
            except NotFound:  # nobody is there to move
                plan = None
            else:
                plan, problem = await _move(connection, tenant_id, plan, ended, now)
        else:
            plan = None
        await connection.execute(
            update(contracts)
            .where(contracts.c.tenant_id == tenant_id, contracts.c.id == contract_id)
            .values(followed_at=now)
        )
        followed.append(Followed(tenant_id, contract_id, plan, problem))
    return followed


async def _move(
    connection: AsyncConnection, tenant_id: str, plan: str, at: datetime, now: datetime
) -> tuple[str | None, str | None]:
    """Return the plan that the tenant moved to; or None and why it could not, such as off sale."""
    change = SubscriptionChange(plan=plan, at=at)
    try:
        async with connection.begin_nested():
            await change_plan(connection, tenant_id, change, now, by_operator=True)
    except FareboxError as error:
        return None, error.detail or error.title
    return plan, None
