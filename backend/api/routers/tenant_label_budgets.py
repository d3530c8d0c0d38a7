"""Budgets of values of a tenant's labels, for the operator who acts for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import IdempotencyKey, PageCursor, PageLimit, ServicesNow, needs
from backend.api.path_parameters import LabelBudgetId, TenantId
from backend.api.tenant_scope import customer
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

router = APIRouter(tags=["operator"])

Reader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]

_BUDGETS = "/v1/tenants/{tenant_id}/label-budgets"


@router.get(_BUDGETS)
async def get_tenant_label_budgets(
    services: ServicesNow,
    caller: Reader,
    tenant_id: TenantId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[LabelBudget]:
    """List the budgets of a tenant's labels, oldest first."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return await list_label_budgets(connection, tenant.id, cursor=cursor, limit=limit)


@router.post(_BUDGETS, status_code=201)
async def post_tenant_label_budget(
    services: ServicesNow,
    caller: Admin,
    tenant_id: TenantId,
    wanted: LabelBudgetCreate,
    idempotency_key: IdempotencyKey = None,
) -> LabelBudget:
    """Bound what all calls of a tenant with a label's value cost, as the tenant itself can."""
    async with services.database.begin() as connection:
        operator, _ = await customer(connection, caller, tenant_id)
        return await create_label_budget(
            connection, operator, wanted, closed=RESERVED, idempotency_key=idempotency_key
        )


@router.patch(_BUDGETS + "/{budget_id}")
async def patch_tenant_label_budget(
    services: ServicesNow,
    caller: Admin,
    tenant_id: TenantId,
    budget_id: LabelBudgetId,
    change: LabelBudgetChange,
) -> LabelBudget:
    """Change the budget of a tenant's label; what was used of it stays used."""
    async with services.database.begin() as connection:
        operator, _ = await customer(connection, caller, tenant_id)
        return await change_label_budget(connection, operator, budget_id, change)


@router.delete(_BUDGETS + "/{budget_id}", status_code=204)
async def remove_tenant_label_budget(
    services: ServicesNow, caller: Admin, tenant_id: TenantId, budget_id: LabelBudgetId
) -> None:
    """Remove the budget of a tenant's label: its calls go on without."""
    async with services.database.begin() as connection:
        operator, _ = await customer(connection, caller, tenant_id)
        await delete_label_budget(connection, operator, budget_id)


@router.get(_BUDGETS + "/{budget_id}/use")
async def get_tenant_label_budget_use(
    services: ServicesNow, caller: Reader, tenant_id: TenantId, budget_id: LabelBudgetId
) -> KeyBudgetUse:
    """Return what is used of the budget of a tenant's label, exact."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        budget = await find_label_budget(connection, tenant.id, budget_id)
        return await budget_use(connection, tenant, own_budget(budget), now_of(tenant))
