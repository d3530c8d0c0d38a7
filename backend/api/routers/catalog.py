"""Models and plans on sale, and publishing them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.decimal_bodies import body_of
from backend.api.dependencies import Caller, ServicesNow, needs
from backend.catalog.published import (
    list_models,
    list_plans,
    parse_catalog,
    published_catalog,
)
from backend.catalog.publishing import publish_catalog
from backend.catalog.tax_rates import tax_table
from backend.errors import NotFound
from backend.gateway.measures.performance import model_performance
from backend.subscriptions.queries import plan_in_force
from backend_client.types.catalog import Catalog, CatalogApplied
from backend_client.types.common import Page
from backend_client.types.models import ModelInfo, ModelPerformance
from backend_client.types.plans import Plan
from backend_client.types.taxes import CatalogTax

router = APIRouter(tags=["catalog"])

OperatorReader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]


@router.get("/v1/catalog/models")
async def get_models(services: ServicesNow, caller: Caller) -> Page[ModelInfo]:
    """List the models on sale, with their prices on the caller's present plan."""
    available = {model for upstream in services.settings.upstreams for model in upstream.models}
    async with services.database.begin() as connection:
        try:
            tenant = await find_tenant(connection, caller.tenant_id)
            plan = (await plan_in_force(connection, tenant, now_of(tenant))).plan
        except NotFound:  # an operator's key, or a tenant without a plan: no prices
            plan = None
        models = await list_models(connection, available=available, plan=plan)
    return Page(items=models)


@router.get("/v1/catalog/models/performance")
async def get_model_performance(
    services: ServicesNow,
    caller: Caller,
    hours: Annotated[
        int,
        Query(ge=1, le=720, description="How many hours to look back from now, at most 30 days."),
    ] = 24,
) -> Page[ModelPerformance]:
    """Return how fast and how reliably models answer, as the gateway measures it.

    By the calls of all customers. A model that was called less than five times is left out.
    """
    since = datetime.now(UTC) - timedelta(hours=hours - 1)
    async with services.database.begin() as connection:
        return Page(items=await model_performance(connection, since=since))


@router.get("/v1/plans")
async def get_plans(services: ServicesNow, caller: Caller) -> Page[Plan]:
    """List the plans on sale, in the version that choosing one now gives."""
    async with services.database.begin() as connection:
        return Page(items=await list_plans(connection))


@router.get("/v1/catalog/taxes")
async def get_taxes(services: ServicesNow, caller: OperatorReader) -> list[CatalogTax]:
    """List the published rates of tax, with expired ones that are on invoices."""
    async with services.database.begin() as connection:
        return await tax_table(connection)


@router.get("/v1/catalog")
async def get_catalog(services: ServicesNow, caller: OperatorReader) -> Catalog:
    """Return the whole published catalog: putting it again changes nothing."""
    async with services.database.begin() as connection:
        return await published_catalog(connection)


@router.put("/v1/catalog", openapi_extra=body_of(Catalog))
async def put_catalog(services: ServicesNow, caller: Admin, request: Request) -> CatalogApplied:
    """Publish what the catalog changes. Doing it again does nothing; no subscription changes."""
    # Parsed by hand: FastAPI would read prices as binary floating point.
    catalog = parse_catalog(await request.body())
    async with services.database.begin() as connection:
        return await publish_catalog(connection, caller, catalog)
