"""Whether who reads a stream of usage may go on reading it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from backend.accounts.errors import InvalidCredential
from backend.accounts.principal import Permission
from backend.api.dependencies import Services


def still_reading(services: Services, token: str, tenant_id: str) -> Callable[[], Awaitable[None]]:
    """Return what raises once a credential may not read the tenant's usage any more."""

    async def still_allowed() -> None:
        now = await services.authenticator.authenticate(token)
        now.require(Permission.USAGE_READ)
        # A session that has moved on says nothing of whether its person is still a member here
        if now.tenant_id != tenant_id:
            raise InvalidCredential()

    return still_allowed
