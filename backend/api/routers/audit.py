"""The tenant's audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.audit import list_audit
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend_client.types.accounts import AuditEntry
from backend_client.types.common import Page

router = APIRouter(tags=["accounts"])


@router.get("/v1/audit")
async def get_audit(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.AUDIT_READ))],
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[AuditEntry]:
    """List audit entries, newest first. Entries are never changed."""
    async with services.database.begin() as connection:
        return await list_audit(connection, caller.tenant_id, cursor=cursor, limit=limit)
