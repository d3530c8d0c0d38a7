"""Declared labels: the operator declares them, the tenant sees them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from backend.accounts.audit.writing import record
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import ServicesNow, needs
from backend.api.path_parameters import DeclaredLabelName, NewLabel
from backend.api.tenant_scope import named_tenant
from backend.metering.counting.labels import declare_label, list_labels, withdraw_label
from backend_client.types.common import Page
from backend_client.types.events import DeclaredLabel

router = APIRouter(tags=["usage"])

Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]
Tenant = Annotated[
    str | None,
    Query(
        description="The customer whose label it is, by its id (`ten_…`) or slug. If left out, "
        "your own organization.",
        examples=["acme"],
    ),
]


@router.get("/v1/labels")
async def get_labels(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.USAGE_READ))],
) -> Page[DeclaredLabel]:
    """List the labels that usage can be grouped by."""
    async with services.database.begin() as connection:
        return Page(items=await list_labels(connection, caller.tenant_id))


@router.put("/v1/labels/{label:path}")
async def put_label(
    services: ServicesNow, caller: Admin, label: NewLabel, tenant: Tenant = None
) -> DeclaredLabel:
    """Count a tenant's usage by a label from now on, so that it can be grouped and priced by it.

    Earlier usage is counted by it once ``farebox usage rebuild`` has run.
    """
    async with services.database.begin() as connection:
        tenant_id = (await named_tenant(connection, caller, tenant)).id
        declared = await declare_label(connection, tenant_id, label)
        await record(connection, caller, "label.declare", label, tenant_id=tenant_id)
        return declared


@router.delete("/v1/labels/{label:path}", status_code=204)
async def delete_label(
    services: ServicesNow, caller: Admin, label: DeclaredLabelName, tenant: Tenant = None
) -> None:
    """Stop counting usage by a label. Prices that name it no longer apply."""
    async with services.database.begin() as connection:
        tenant_id = (await named_tenant(connection, caller, tenant)).id
        await withdraw_label(connection, tenant_id, label)
        await record(connection, caller, "label.withdraw", label, tenant_id=tenant_id)
