"""The operator's model providers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.audit import NO_TENANT, record
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import ServicesNow, needs
from backend.gateway.stored_upstreams import (
    delete_upstream,
    find_upstream,
    list_upstreams,
    put_upstream,
)
from backend_client.types.common import Page
from backend_client.types.upstreams import Upstream, UpstreamName, UpstreamPut

router = APIRouter(tags=["operator"])

Reader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]


@router.get("/v1/upstreams")
async def get_upstreams(services: ServicesNow, caller: Reader) -> Page[Upstream]:
    """List the model providers that calls are forwarded to; no key is shown."""
    async with services.database.begin() as connection:
        return Page(items=await list_upstreams(connection, services.settings.upstreams))


@router.get("/v1/upstreams/{name}")
async def get_upstream(services: ServicesNow, caller: Reader, name: str) -> Upstream:
    """Return one model provider; no key is shown."""
    async with services.database.begin() as connection:
        return await find_upstream(connection, services.settings.upstreams, name)


@router.put("/v1/upstreams/{name}")
async def put_one_upstream(
    services: ServicesNow, caller: Admin, name: UpstreamName, wanted: UpstreamPut
) -> Upstream:
    """Set a model provider, whether there is one of the name or not.

    Calls go to it within two seconds. Without `keys` it keeps those that it has; a key is shown to
    nobody again.
    """
    async with services.database.begin() as connection:
        configured = services.settings.upstreams
        sealer = services.gateway.sealer
        upstream = await put_upstream(connection, configured, sealer, name, wanted)
        detail = wanted.model_dump(mode="json", exclude={"keys"}, exclude_defaults=True)
        detail["keys"] = None if wanted.keys is None else len(wanted.keys)
        await record(connection, caller, "upstream.set", name, tenant_id=NO_TENANT, detail=detail)
    await services.gateway.read_upstreams()
    return upstream


@router.delete("/v1/upstreams/{name}", status_code=204)
async def delete_one_upstream(services: ServicesNow, caller: Admin, name: str) -> None:
    """Delete a model provider with its keys; calls under way to it end as they would."""
    async with services.database.begin() as connection:
        await delete_upstream(connection, services.settings.upstreams, name)
        await record(connection, caller, "upstream.delete", name, tenant_id=NO_TENANT)
    await services.gateway.read_upstreams()
