"""Clears up after budgets that were removed: their states, and holds that have lapsed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Delete,
    Table,
    and_,
    delete,
    exists,
    or_,
    select,
    tuple_,
)

from backend.quotas.holds import LAPSE
from backend.storage.database import Database
from backend.storage.tables import (
    api_keys,
    applications,
    key_budget_holds,
    key_budget_states,
    label_budgets,
)


async def forget_ended_budgets(database: Database, now: datetime) -> int:
    """Delete lapsed holds, and states without a budget and without holds; return how many states.

    A call that was admitted before its budget was removed still holds, and settles, by its state.
    """
    states = key_budget_states
    owners = (
        (api_keys, api_keys.c.budget_amount.is_not(None), api_keys.c.revoked_at.is_(None)),
        (applications, applications.c.budget_amount.is_not(None)),
        (label_budgets,),
    )
    owned = [
        exists().where(
            table.c.tenant_id == states.c.tenant_id, table.c.id == states.c.key_id, *conditions
        )
        for table, *conditions in owners
    ]
    held = exists().where(
        key_budget_holds.c.tenant_id == states.c.tenant_id,
        key_budget_holds.c.key_id == states.c.key_id,
    )
    # One that is read now may be of a budget that is set anew as this runs
    resting = or_(states.c.taken_at.is_(None), states.c.taken_at < now - LAPSE)
    lapsed = key_budget_holds.c.lapses_at <= now
    async with database.begin() as connection:
        await connection.execute(_deleting(key_budget_holds, lapsed))
    async with database.begin() as connection:
        ended = and_(resting, ~held, *(~owner for owner in owned))
        return (await connection.execute(_deleting(states, ended))).rowcount


def _deleting(table: Table, condition: ColumnElement[bool]) -> Delete:
    """Delete what nobody has locked: to wait for several rows could deadlock."""
    names = tuple(table.primary_key.columns)
    free = select(*names).where(condition).with_for_update(skip_locked=True, of=table)
    return delete(table).where(tuple_(*names).in_(free))
