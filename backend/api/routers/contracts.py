"""Contracts: agreements with a tenant beside its plan."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from backend.accounts.audit.writing import record
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.decimal_bodies import body_of
from backend.api.dependencies import ServicesNow, needs
from backend.api.path_parameters import ContractId, TenantId
from backend.catalog.yaml_reading import parse_exactly
from backend.invoices.issuing.instalments import check_tax
from backend.subscriptions.contracts import amend_contract, create_contract, list_contracts
from backend_client.types.common import Page
from backend_client.types.contracts import (
    AmendmentCreate,
    Contract,
    ContractCreate,
)

router = APIRouter(tags=["contracts"])

Reader = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]
Biller = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]


@router.get("/v1/contracts")
async def get_contracts(services: ServicesNow, caller: Reader) -> Page[Contract]:
    """List the tenant's contracts, oldest first."""
    async with services.database.begin() as connection:
        return Page(items=await list_contracts(connection, caller.tenant_id))


@router.post(
    "/v1/tenants/{tenant_id}/contracts", status_code=201, openapi_extra=body_of(ContractCreate)
)
async def post_contract(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, request: Request
) -> Contract:
    """Create a contract with a tenant, from a billing period's start."""
    wanted = parse_exactly(await request.body(), ContractCreate)
    check_tax(services.settings, wanted)
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        contract = await create_contract(connection, tenant, wanted)
        await record(connection, caller, "contract.create", contract.id, tenant_id=tenant.id)
        return contract


@router.post(
    "/v1/tenants/{tenant_id}/contracts/{contract_id}/amendments",
    status_code=201,
    openapi_extra=body_of(AmendmentCreate),
)
async def post_amendment(
    services: ServicesNow,
    caller: Biller,
    tenant_id: TenantId,
    contract_id: ContractId,
    request: Request,
) -> Contract:
    """Raise a tenant's commitment, until the same end of term."""
    wanted = parse_exactly(await request.body(), AmendmentCreate)
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        amended = await amend_contract(connection, tenant, contract_id, wanted)
        await record(connection, caller, "contract.amend", amended.id, tenant_id=tenant.id)
        return amended
