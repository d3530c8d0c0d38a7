"""Budgets of values of declared labels, the tenant's own; and, for the operator, any tenant's."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import IdempotencyKey, PageCursor, PageLimit, ServicesNow, needs
from backend.api.path_parameters import LabelBudgetId
from backend.budgets.labels import (
    change_label_budget,
    create_label_budget,
    delete_label_budget,
    find_label_budget,
    list_label_budgets,
    own_budget,
)
from backend.budgets.use import budget_use
from backend.gateway.tags import RESERVED
from backend_client.types.common import Page
from backend_client.types.limits import (
    KeyBudgetUse,
    LabelBudget,
    LabelBudgetChange,
    LabelBudgetCreate,
)

router = APIRouter(tags=["accounts"])

Spender = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]
Writer = Annotated[Principal, Depends(needs(Permission.KEYS_WRITE))]


@router.get("/v1/label-budgets")
async def get_label_budgets(
    services: ServicesNow, caller: Spender, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[LabelBudget]:
    """List the budgets of labels, oldest first."""
    async with services.database.begin() as connection:
        return await list_label_budgets(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.post("/v1/label-budgets", status_code=201)
async def post_label_budget(
    services: ServicesNow,
    caller: Writer,
    wanted: LabelBudgetCreate,
    idempotency_key: IdempotencyKey = None,
) -> LabelBudget:
    """Bound what all calls with a label's value cost, such as `team=search`.

    The label has to be declared. Calls say their labels themselves, by `user`, `metadata` or the
    header `x-farebox-labels`: one that says none is not held. It applies within a second.
    """
    async with services.database.begin() as connection:
        return await create_label_budget(
            connection, caller, wanted, closed=RESERVED, idempotency_key=idempotency_key
        )


@router.patch("/v1/label-budgets/{budget_id}")
async def patch_label_budget(
    services: ServicesNow, caller: Writer, budget_id: LabelBudgetId, change: LabelBudgetChange
) -> LabelBudget:
    """Change the budget of a label's value; what was used of it stays used."""
    async with services.database.begin() as connection:
        return await change_label_budget(connection, caller, budget_id, change)


@router.delete("/v1/label-budgets/{budget_id}", status_code=204)
async def remove_label_budget(
    services: ServicesNow, caller: Writer, budget_id: LabelBudgetId
) -> None:
    """Remove the budget of a label's value: its calls go on without."""
    async with services.database.begin() as connection:
        await delete_label_budget(connection, caller, budget_id)


@router.get("/v1/label-budgets/{budget_id}/use")
async def get_label_budget_use(
    services: ServicesNow, caller: Spender, budget_id: LabelBudgetId
) -> KeyBudgetUse:
    """Return what is used of the budget of a label's value, exact."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        budget = await find_label_budget(connection, tenant.id, budget_id)
        return await budget_use(connection, tenant, own_budget(budget), now_of(tenant))
