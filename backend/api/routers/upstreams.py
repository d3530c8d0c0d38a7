"""The operator's model providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends

from backend.accounts.audit.writing import NO_TENANT, record
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import Services, ServicesNow, needs
from backend.api.path_parameters import NewUpstreamId, UpstreamId
from backend.gateway.attempts.probe import probe
from backend.gateway.upstreams.stored import (
    delete_upstream,
    find_upstream,
    list_upstreams,
    put_upstream,
    set_state,
    upstream_with_keys,
)
from backend_client.types.common import Page
from backend_client.types.upstream_health import UpstreamStop, UpstreamTest, UpstreamTestRequest
from backend_client.types.upstreams import Upstream, UpstreamPut, UpstreamState

router = APIRouter(tags=["operator"])

Reader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]


@router.get("/v1/upstreams")
async def get_upstreams(services: ServicesNow, caller: Reader) -> Page[Upstream]:
    """List the model providers that calls are forwarded to, and how they fare; no key is shown.

    Health is what every process of the gateway finds, as of some seconds ago; error rate and times
    to the first token are those of the last hour.
    """
    async with services.database.begin() as connection:
        return Page(items=await list_upstreams(connection, services.settings.upstreams))


@router.get("/v1/upstreams/{name}")
async def get_upstream(services: ServicesNow, caller: Reader, name: UpstreamId) -> Upstream:
    """Return one model provider, and how it fares; no key is shown."""
    async with services.database.begin() as connection:
        return await find_upstream(connection, services.settings.upstreams, name)


@router.put("/v1/upstreams/{name}")
async def put_one_upstream(
    services: ServicesNow, caller: Admin, name: NewUpstreamId, wanted: UpstreamPut
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
async def delete_one_upstream(services: ServicesNow, caller: Admin, name: UpstreamId) -> None:
    """Delete a model provider with its keys; calls under way to it end as they would."""
    async with services.database.begin() as connection:
        await delete_upstream(connection, services.settings.upstreams, name)
        await record(connection, caller, "upstream.delete", name, tenant_id=NO_TENANT)
    await services.gateway.read_upstreams()


@router.post("/v1/upstreams/{name}/disable")
async def disable_upstream(
    services: ServicesNow, caller: Admin, name: UpstreamId, stop: UpstreamStop
) -> Upstream:
    """Send no more calls to a model provider, until it is enabled again.

    Within two seconds; calls under way end as they would. It is refused if models would be left
    that no other upstream serves, unless `leave_unserved` says that they may be.
    """
    return await _set_state(services, caller, name, "disabled", leave_unserved=stop.leave_unserved)


@router.post("/v1/upstreams/{name}/enable")
async def enable_upstream(services: ServicesNow, caller: Admin, name: UpstreamId) -> Upstream:
    """Send calls to a model provider again."""
    return await _set_state(services, caller, name, "active")


@router.post("/v1/upstreams/{name}/retire")
async def retire_upstream(
    services: ServicesNow, caller: Admin, name: UpstreamId, stop: UpstreamStop
) -> Upstream:
    """Send no calls to a model provider ever again, and destroy its keys.

    It stays in the list, since usage names it. It is refused as by `disable`.
    """
    return await _set_state(services, caller, name, "retired", leave_unserved=stop.leave_unserved)


@router.post("/v1/upstreams/{name}/test")
async def test_upstream(
    services: ServicesNow, caller: Admin, name: UpstreamId, wanted: UpstreamTestRequest
) -> UpstreamTest:
    """Send a model provider a call of one word by each of its keys, and tell how they went.

    Also one that is disabled. The provider bills some tokens; nobody else does.
    """
    async with services.database.begin() as connection:
        upstream, keys = await upstream_with_keys(
            connection, services.settings.upstreams, services.gateway.sealer, name
        )
        await record(connection, caller, "upstream.test", name, tenant_id=NO_TENANT)
    return await probe(upstream, keys, wanted.model, wanted.protocol)


_ACTS: Final[Mapping[UpstreamState, str]] = {
    "active": "upstream.enable",
    "disabled": "upstream.disable",
    "retired": "upstream.retire",
}


async def _set_state(
    services: Services,
    caller: Principal,
    name: str,
    state: UpstreamState,
    *,
    leave_unserved: bool = True,
) -> Upstream:
    async with services.database.begin() as connection:
        upstream = await set_state(
            connection, services.settings.upstreams, name, state, leave_unserved=leave_unserved
        )
        await record(connection, caller, _ACTS[state], name, tenant_id=NO_TENANT)
    await services.gateway.read_upstreams()
    return upstream
