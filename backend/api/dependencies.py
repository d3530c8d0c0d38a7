"""What routers ask FastAPI for: the process's services, and the caller with a permission."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Query, Request, Security
from fastapi.security import HTTPBearer

from backend.accounts.authenticator import Authenticator
from backend.accounts.identity import IdentityProvider
from backend.accounts.principal import Permission, Principal
from backend.api.body_limits import BodyBudget
from backend.api.errors import CredentialMissing
from backend.gateway.gateway import Gateway
from backend.invoices.previewing import TaxPreview
from backend.invoices.taxing.service import TaxService
from backend.kit.side_process import SideProcess
from backend.metering.ingest.acceptance import Ingest
from backend.metering.ingest.stream import UsageStream
from backend.metering.queries.tail import Tails
from backend.settings import Settings
from backend.storage.database import Database


@dataclass(frozen=True, slots=True)
class Services:
    """The services of a running API process; created in the lifespan of ``backend.api.app``."""

    settings: Settings
    database: Database
    stream: UsageStream
    ingest: Ingest
    body_budget: BodyBudget
    tails: Tails
    authenticator: Authenticator
    gateway: Gateway
    identity_provider: IdentityProvider | None
    tax_service: TaxService | None
    tax_preview: TaxPreview
    side_process: SideProcess


def services(request: Request) -> Services:
    """Return the process's services."""
    services: Services = request.app.state.services
    return services


async def _services(request: Request) -> Services:
    # A coroutine: FastAPI runs a plain function in a thread, on every request
    return services(request)


ServicesNow = Annotated[Services, Depends(_services)]


_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="An API key (fb_live_…), an operator's key (fb_oper_…) or a session (fbs_…)",
)


def bearer_token(request: Request) -> str:
    """Return the token of the ``Authorization: Bearer`` header; raise ``Unauthenticated``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise CredentialMissing("Send a credential as 'Authorization: Bearer <key>'.")
    return token.strip()


async def bearer_principal(
    request: Request, _shown: Annotated[object, Security(_bearer)]
) -> Principal:
    """Return the caller that the ``Authorization: Bearer`` header names, once a request."""
    return await services(request).authenticator.authenticate(bearer_token(request))


PageCursor = Annotated[
    str | None, Query(description="next_cursor of the page before", alias="cursor")
]
PageLimit = Annotated[int, Query(ge=1, le=200, alias="limit")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="A create that is repeated with it makes nothing again",
    ),
]


Caller = Annotated[Principal, Depends(bearer_principal)]


def needs(permission: Permission) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that returns the caller if it has ``permission``."""

    # As a scope, so that the OpenAPI document shows what each route needs.
    needed: Principal = Security(bearer_principal, scopes=[permission.value])

    async def permitted(caller: Principal = needed) -> Principal:
        caller.require(permission)
        return caller

    return permitted
