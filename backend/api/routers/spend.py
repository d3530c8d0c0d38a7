"""What the current period has cost so far."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response, status

from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import ServicesNow, needs
from backend.api.parameters import KnownETag
from backend.spend.queries import spend_report, spend_version
from backend_client.types.spend import SpendReport

router = APIRouter(tags=["spend"])

Reader = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]


@router.get(
    "/v1/spend",
    response_model=SpendReport,
    responses={304: {"description": "Nothing changed since the ETag in If-None-Match"}},
)
async def get_spend(
    services: ServicesNow,
    caller: Reader,
    response: Response,
    if_none_match: KnownETag = None,
) -> SpendReport | Response:
    """Return the current billing period's spend, by line, rated as the invoice will be."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        now = now_of(tenant)
        etag = f'"{await spend_version(connection, tenant, now)}"'
        headers = {"etag": etag, "cache-control": "private, no-cache"}
        if if_none_match == etag:
            return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
        response.headers.update(headers)
        return await spend_report(connection, tenant, now)
