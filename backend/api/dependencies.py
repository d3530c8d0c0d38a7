"""What routers ask FastAPI for: the process's services, and the caller with a permission."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from backend.accounts.authenticator import Authenticator
from backend.accounts.principal import Permission, Principal
from backend.errors import Unauthenticated
from backend.gateway.gateway import Gateway
from backend.metering.stream import UsageStream
from backend.settings import Settings
from backend.storage.database import Database


@dataclass(frozen=True, slots=True)
class Services:
    """What a running API process holds; made in ``backend.api.app``'s lifespan."""

    settings: Settings
    database: Database
    stream: UsageStream
    authenticator: Authenticator
    gateway: Gateway


def services(request: Request) -> Services:
    """Return the process's services."""
    found: Services = request.app.state.services
    return found


ServicesNow = Annotated[Services, Depends(services)]


async def bearer_principal(request: Request) -> Principal:
    """Return the caller that the ``Authorization: Bearer`` header names, once a request."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Send a credential as 'Authorization: Bearer <key>'.")
    principal = await services(request).authenticator.authenticate(token.strip())
    request.state.principal = principal
    return principal


Caller = Annotated[Principal, Depends(bearer_principal)]


def needs(permission: Permission) -> Callable[[Principal], Awaitable[Principal]]:
    """Make a dependency that gives the caller, if it has ``permission``."""

    async def permitted(caller: Caller) -> Principal:
        caller.require(permission)
        return caller

    return permitted
