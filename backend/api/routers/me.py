"""The caller."""

from __future__ import annotations

from fastapi import APIRouter

from backend.accounts.sessions import who_is
from backend.api.dependencies import Caller, ServicesNow
from backend_client.types.accounts import Me

router = APIRouter(tags=["accounts"])


@router.get("/v1/me")
async def get_me(services: ServicesNow, caller: Caller) -> Me:
    """Return the credential's owner, and the tenant and role that it acts as."""
    async with services.database.begin() as connection:
        return await who_is(connection, caller)
