"""Budgets of values of declared labels: what all calls with such a label may cost."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import RowMapping, delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.budgets import budget_of, budget_values
from backend.accounts.current_role import role_now
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Permission, Principal
from backend.budgets.errors import (
    LabelBudgetNotFound,
    LabelHasBudget,
    LabelNotForBudgets,
    TooManyLabelBudgets,
)
from backend.budgets.owners import BudgetOwner, OwnBudget
from backend.ids import new_id
from backend.kit.pages import Cursor, page_of
from backend.metering.counting.labels import keep_declared
from backend.storage.tables import key_budget_states, label_budgets, tenants
from backend.storage.tenant_rows import change_tenant_row, tenant_row, tenant_rows
from backend_client.types.common import Page
from backend_client.types.limits import LabelBudget, LabelBudgetChange, LabelBudgetCreate

MOST_BUDGETS = 500
"""Of a tenant: each process reads them all once a second while the tenant makes calls."""


def _budget(row: RowMapping) -> LabelBudget:
    return LabelBudget.model_validate({**row, "budget": budget_of(row)})


def own_budget(budget: LabelBudget) -> OwnBudget:
    """Return a label's budget as calls are held by it."""
    owner = BudgetOwner("label", budget.id, (budget.label, budget.value))
    return OwnBudget(owner, budget.budget)


async def list_label_budgets(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[LabelBudget]:
    """Return a page of the tenant's budgets of labels, oldest first."""
    after = None if cursor is None else Cursor.read(cursor)
    rows = await tenant_rows(connection, label_budgets, tenant_id, after=after, limit=limit)
    return page_of([_budget(row) for row in rows], limit, lambda budget: budget.id)


async def find_label_budget(
    connection: AsyncConnection, tenant_id: str, budget_id: str
) -> LabelBudget:
    """Return one of the tenant's budgets of labels; raise ``NotFound``."""
    row = await tenant_row(connection, label_budgets, tenant_id, budget_id)
    if row is None:
        raise LabelBudgetNotFound()
    return _budget(row)


async def create_label_budget(
    connection: AsyncConnection,
    caller: Principal,
    wanted: LabelBudgetCreate,
    *,
    closed: Collection[str],
    idempotency_key: str | None = None,
) -> LabelBudget:
    """Bound calls with a label's value from now on; ``closed`` are labels that can't.

    With an ``idempotency_key`` used before, return the budget of then. Raises ``InvalidInput`` for
    these and those that are not declared, ``Conflict`` if the value has a budget already, or the
    tenant too many.
    """
    await role_now(connection, caller, Permission.KEYS_WRITE)
    if wanted.label in closed:
        raise LabelNotForBudgets.of_field(
            "label", f"can't be {wanted.label!r}, which is known only when a call has ended"
        )
    tenant_id = caller.tenant_id
    await connection.execute(
        select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update(key_share=True)
    )
    budget_id = new_id("lbd")
    if idempotency_key is not None:
        request = f"label budget {wanted.model_dump_json()}"
        created_id = await claim_key(connection, tenant_id, idempotency_key, request, budget_id)
        if created_id is not None:
            return await find_label_budget(connection, tenant_id, created_id)
    await keep_declared(connection, tenant_id, wanted.label)
    count = select(func.count()).where(label_budgets.c.tenant_id == tenant_id)
    if (await connection.scalar(count) or 0) >= MOST_BUDGETS:
        raise TooManyLabelBudgets(f"There are at most {MOST_BUDGETS} budgets of labels.")
    try:
        async with connection.begin_nested():
            inserted = await connection.execute(
                insert(label_budgets)
                .values(
                    tenant_id=tenant_id,
                    id=budget_id,
                    label=wanted.label,
                    value=wanted.value,
                    **budget_values(wanted.budget),
                )
                .returning(label_budgets)
            )
    except IntegrityError:
        raise LabelHasBudget(
            f"{wanted.label}={wanted.value} has a budget already: change that."
        ) from None
    budget = _budget(inserted.mappings().one())
    detail = wanted.model_dump(mode="json")
    await record(connection, caller, "label_budget.create", budget.id, detail=detail)
    return budget


async def change_label_budget(
    connection: AsyncConnection, caller: Principal, budget_id: str, change: LabelBudgetChange
) -> LabelBudget:
    """Set what a label's budget is from now on; raise ``NotFound``."""
    await role_now(connection, caller, Permission.KEYS_WRITE)
    values = budget_values(change.budget)
    row = await change_tenant_row(connection, label_budgets, caller.tenant_id, budget_id, values)
    if row is None:
        raise LabelBudgetNotFound()
    detail = change.model_dump(mode="json")
    await record(connection, caller, "label_budget.change", budget_id, detail=detail)
    return _budget(row)


async def delete_label_budget(
    connection: AsyncConnection, caller: Principal, budget_id: str
) -> None:
    """Bound calls by a label's budget no longer; raise ``NotFound``."""
    await role_now(connection, caller, Permission.KEYS_WRITE)
    removed_rows = await connection.execute(
        delete(label_budgets)
        .where(label_budgets.c.tenant_id == caller.tenant_id, label_budgets.c.id == budget_id)
        .returning(label_budgets.c.label, label_budgets.c.value)
    )
    row = removed_rows.mappings().first()
    if row is None:
        raise LabelBudgetNotFound()
    # With the holds of calls under way, which have nothing to be held by any more
    await connection.execute(
        delete(key_budget_states).where(
            key_budget_states.c.tenant_id == caller.tenant_id,
            key_budget_states.c.key_id == budget_id,
        )
    )
    await record(connection, caller, "label_budget.delete", budget_id, detail=dict(row))
