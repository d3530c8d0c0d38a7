"""Models and plans on sale, and publishing them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import Caller, ServicesNow, needs
from backend.billing.catalog import apply_catalog, list_models, list_plans, parse_catalog
from backend.billing.subscriptions import current_subscription
from backend.errors import NotFound
from backend_client.types.common import Page
from backend_client.types.models import ModelInfo
from backend_client.types.plans import Catalog, CatalogApplied, Plan

router = APIRouter(tags=["catalog"])

Operator = Annotated[Principal, Depends(needs(Permission.OPERATE))]


def _inlined(schema: object, definitions: dict[str, Any]) -> object:
    """Replace references by what they refer to: they would point at the wrong place in OpenAPI."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    left_out = ("$defs", "discriminator")
    return {
        name: _inlined(part, definitions) for name, part in schema.items() if name not in left_out
    }


def _body_of_catalog() -> dict[str, Any]:
    schema = Catalog.model_json_schema()
    content = {"application/json": {"schema": _inlined(schema, schema["$defs"])}}
    return {"requestBody": {"required": True, "content": content}}


@router.get("/v1/catalog/models")
async def get_models(services: ServicesNow, caller: Caller) -> Page[ModelInfo]:
    """List the models on sale, with their prices on the caller's present plan."""
    available = {model for upstream in services.settings.upstreams for model in upstream.models}
    async with services.database.begin() as connection:
        try:
            subscription = await current_subscription(
                connection, caller.tenant_id, datetime.now(UTC)
            )
            plan = subscription.plan.definition
        except NotFound:  # an operator's key, or a tenant without a plan: the models, no prices
            plan = None
        models = await list_models(connection, available=available, plan=plan)
    return Page(items=models)


@router.get("/v1/plans")
async def get_plans(services: ServicesNow, caller: Caller) -> Page[Plan]:
    """List the plans on sale, in the version that choosing one now gives."""
    async with services.database.begin() as connection:
        return Page(items=await list_plans(connection))


@router.put("/v1/catalog", openapi_extra=_body_of_catalog())
async def put_catalog(services: ServicesNow, caller: Operator, request: Request) -> CatalogApplied:
    """Publish what the catalog changes. A second time does nothing; no subscription moves."""
    # Parsed by hand: FastAPI would read prices as binary floating point.
    catalog = parse_catalog(await request.body())
    async with services.database.begin() as connection:
        return await apply_catalog(connection, catalog)
