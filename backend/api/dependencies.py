"""What routers ask FastAPI for: the process's services, and the caller with a permission."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Header, Query, Request, Security
from fastapi.security import HTTPBearer

from backend.accounts.authenticator import Authenticator
from backend.accounts.errors import InvalidCredential, ViewingOnly
from backend.accounts.guesses import Guesses
from backend.accounts.keys.secret_scanning import SecretScanner
from backend.accounts.principal import OPERATOR_PERMISSIONS, Permission, Principal
from backend.accounts.sessions.failed_sign_ins import FailedSignIns
from backend.accounts.sessions.identity import IdentityProvider
from backend.api.body_limits import BodyBudget
from backend.api.errors import CredentialMissing
from backend.api.public_questions import PublicQuestions
from backend.gateway.gateway import Gateway
from backend.gateway.protocols.routes import shape_of
from backend.invoices.drafts.previewing import TaxPreview
from backend.invoices.taxing.service import TaxService
from backend.kit.side_process import SideProcess
from backend.metering.ingest.acceptance import Ingest
from backend.metering.ingest.stream import UsageStream
from backend.metering.queries.changes import Changes
from backend.metering.queries.tail import Tails
from backend.platforms.adapter import Adapter
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
    changes: Changes
    authenticator: Authenticator
    guesses: Guesses
    public_questions: PublicQuestions
    failed_sign_ins: FailedSignIns
    gateway: Gateway
    identity_provider: IdentityProvider | None
    secret_scanner: SecretScanner | None
    tax_service: TaxService | None
    tax_preview: TaxPreview
    side_process: SideProcess
    platforms: Mapping[str, Adapter]


def services(request: Request) -> Services:
    """Return the process's services."""
    services: Services = request.app.state.services
    return services


async def _services(request: Request) -> Services:
    # A coroutine: FastAPI runs a plain function in a thread, on every request
    return services(request)


ServicesNow = Annotated[Services, Depends(_services)]


_READING: Final = frozenset({"GET", "HEAD"})
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="An API key (fb_live_…), an operator's key (fb_oper_…) or a session (fbs_…)",
)


def bearer_token(request: Request) -> str:
    """Return the token of the ``Authorization: Bearer`` header; raise ``Unauthenticated``.

    On the routes of OpenAI's and Anthropic's protocols that of ``x-api-key`` does too: Anthropic's
    clients send it so.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    key = request.headers.get("x-api-key", "").strip()
    if key and shape_of(request.url.path) is not None:
        return key
    raise CredentialMissing("Send a credential as 'Authorization: Bearer <key>'.")


async def bearer_principal(
    request: Request, _shown: Annotated[object, Security(_bearer)]
) -> Principal:
    """Return the caller that the ``Authorization: Bearer`` header names, once a request.

    Raises ``ViewingOnly`` if they look at a tenant and the route may change something.
    """
    changes = request.method not in _READING
    authenticator = services(request).authenticator
    caller = await authenticator.authenticate(bearer_token(request), changes=changes)
    request.state.caller = caller.id  # for the request's log line
    if caller.viewing_until is not None:
        _refuse_changes(request)
    return caller


def _refuse_changes(request: Request) -> None:
    path = getattr(request.scope.get("route"), "path", "")
    if request.method not in _READING and (request.method, path) not in OPEN_TO_VIEWERS:
        raise ViewingOnly("Leave the view of this tenant to change something.")


async def metrics_reader(request: Request, _shown: Annotated[object, Security(_bearer)]) -> None:
    """Let Prometheus in by its token, and anybody with an operator's credential.

    A network that guessed too often waits before its next guess is compared with the token.
    """
    token, now = bearer_token(request), services(request)
    configured = now.settings.metrics_token
    with now.guesses.slowed("metrics", now.guesses.network(), InvalidCredential):
        if configured is not None and hmac.compare_digest(
            token.encode(), configured.get_secret_value().encode()
        ):
            return
        (await now.authenticator.authenticate(token)).require(Permission.OPERATE_READ)


OPEN_TO_VIEWERS = frozenset(
    {
        ("POST", "/v1/chargeback/preview"),
        ("POST", "/v1/simulate"),
        ("POST", "/v1/subscription/preview"),
        ("POST", "/v1/tokens/count"),
        ("DELETE", "/v1/sessions/current"),
        ("DELETE", "/v1/sessions/current/view"),
        ("PATCH", "/v1/sessions/current"),
    }
)
"""What an operator who looks at a tenant may do beside reading: ask with a body, and leave."""

PageCursor = Annotated[
    str | None,
    Query(
        alias="cursor",
        description="Where to go on: `next_cursor` of the page before, as it is. "
        "If left out, the first page.",
    ),
]
PageLimit = Annotated[
    int,
    Query(ge=1, le=200, alias="limit", description="How many items a page has at most."),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="A text of your own choice, another one for each thing to make: a request "
        "that is repeated with it makes nothing again, and another request with it is refused "
        "(409). If left out, each request makes another.",
        examples=["7f3a1c52"],
    ),
]


Caller = Annotated[Principal, Depends(bearer_principal)]


def needs(permission: Permission) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that returns the caller if it has ``permission``."""

    # As a scope, so that the OpenAPI document shows what each route needs.
    needed: Principal = Security(bearer_principal, scopes=[permission.value])

    async def permitted(caller: Principal = needed) -> Principal:
        caller.require(permission)
        return caller.as_operator() if permission in OPERATOR_PERMISSIONS else caller

    return permitted
