"""What usage would cost on other plans."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.decimal_bodies import body_of
from backend.api.dependencies import Services, ServicesNow, needs
from backend.api.path_parameters import TenantId
from backend.catalog.yaml_reading import parse_exactly
from backend.invoices.paper.comparison import print_comparison
from backend.spend.simulation import simulate
from backend_client.types.simulate import Simulation, SimulationRequest

router = APIRouter(tags=["spend"])

Reader = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]
OperatorReader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]


@router.post("/v1/simulate", openapi_extra=body_of(SimulationRequest))
async def post_simulation(services: ServicesNow, caller: Reader, request: Request) -> Simulation:
    """Return what the tenant's past, or a workload, would cost on each plan, line by line.

    The cheapest comes first. Draft plans can be included. Nothing is changed.
    """
    return await _simulated(services, caller, request)


@router.post(
    "/v1/simulate.pdf",
    openapi_extra=body_of(SimulationRequest),
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}}},
)
async def post_simulation_pdf(services: ServicesNow, caller: Reader, request: Request) -> Response:
    """Return the same comparison as a PDF, to be sent or printed."""
    return await printed(services, await _simulated(services, caller, request))


@router.post("/v1/tenants/{tenant_id}/simulate", openapi_extra=body_of(SimulationRequest))
async def post_simulation_for_tenant(
    services: ServicesNow, caller: OperatorReader, tenant_id: TenantId, request: Request
) -> Simulation:
    """Return what a tenant's past, or a workload, would cost on each plan, by contract or not."""
    asked = parse_exactly(await request.body(), SimulationRequest)
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = now_of(tenant)
        return await simulate(connection, tenant, asked, now, by_operator=True)


async def _simulated(services: Services, caller: Principal, request: Request) -> Simulation:
    asked = parse_exactly(await request.body(), SimulationRequest)
    by_operator = Permission.OPERATE_READ in caller.permissions
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        now = now_of(tenant)
        return await simulate(connection, tenant, asked, now, by_operator=by_operator)


async def printed(services: Services, simulation: Simulation) -> Response:
    """Return a comparison as a PDF."""
    given = (services.settings.seller_name, simulation.model_dump_json())
    drawn = await services.side_process.compute(print_comparison, given)
    headers = {"content-disposition": 'attachment; filename="plans.pdf"'}
    return Response(drawn, media_type="application/pdf", headers=headers)
