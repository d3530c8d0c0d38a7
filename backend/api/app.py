"""The API: its services and its routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from starlette.routing import BaseRoute
from starlette.types import Lifespan

from backend.accounts.authenticator import Authenticator
from backend.accounts.guesses import Guesses
from backend.accounts.keys.secret_scanning import SecretScanner
from backend.accounts.sessions.failed_sign_ins import FailedSignIns
from backend.accounts.sessions.identity import IdentityProvider
from backend.api import problems
from backend.api.body_limits import BodyBudget
from backend.api.cross_origin import CrossOrigin
from backend.api.dependencies import Services
from backend.api.middleware import BodyLimit, Metrics, RequestContext
from backend.api.narrowed import include_narrowed
from backend.api.openapi import described
from backend.api.public_questions import PublicQuestions
from backend.api.query_parameters import refuse_unknown_parameters
from backend.api.quick_calls import QuickCalls
from backend.api.routers import every_router
from backend.errors import ConfigurationError
from backend.gateway.gateway import Gateway
from backend.invoices.drafts.previewing import TaxPreview
from backend.invoices.taxing.service import tax_service_of
from backend.kit.side_process import SideProcess
from backend.metering.ingest.acceptance import Ingest
from backend.metering.ingest.stream import UsageStream
from backend.metering.queries.changes import Changes
from backend.metering.queries.tail import Tails
from backend.metering.refusals.tally import RefusalTally
from backend.metering.refusals.writing import RefusalWriter
from backend.platforms.configured import open_adapters
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.problems import Problem


def create_app(settings: Settings) -> FastAPI:
    """Return the API. It also starts without PostgreSQL and NATS; ``/readyz`` reports that."""
    database_url, nats_url = settings.database_url, settings.nats_url
    if database_url is None or nats_url is None:
        raise ConfigurationError("The API needs DATABASE_URL and NATS_URL; 'farebox up' sets both.")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(database_url, pool_size=settings.database_pool_size)
        stream = await UsageStream.connect(nats_url, settings)
        guesses = Guesses(settings.trusted_addresses)
        authenticator = Authenticator(database, guesses, web_origins=settings.web_origins)
        side_process = SideProcess()
        gateway_now = Gateway(settings, database, stream)
        taxes = tax_service_of(settings)
        tally = RefusalTally(kept=settings.refused_event_days > 0)
        stop = asyncio.Event()
        writing = asyncio.create_task(RefusalWriter(database, tally).run(stop))
        platforms = open_adapters(database, settings)
        app.state.services = Services(
            settings=settings,
            database=database,
            stream=stream,
            ingest=Ingest(settings, database, stream, tally),
            body_budget=BodyBudget(settings.ingest_memory_bytes),
            tails=Tails(database),
            changes=Changes(database),
            authenticator=authenticator,
            guesses=guesses,
            public_questions=PublicQuestions(settings.trusted_addresses),
            failed_sign_ins=FailedSignIns(database),
            gateway=gateway_now,
            identity_provider=_identity_provider(settings),
            secret_scanner=_secret_scanner(settings),
            tax_service=taxes,
            tax_preview=TaxPreview(taxes),
            side_process=side_process,
            platforms=platforms,
        )
        try:
            yield
        finally:
            # In this order: calls under way publish their usage before the stream is closed.
            await gateway_now.close()
            await stream.close()
            stop.set()
            await writing
            await database.close()
            if taxes is not None:
                await taxes.close()
            for platform in platforms.values():
                await platform.close()
            side_process.close()

    app = _Api(lifespan)
    metrics = Metrics()
    app.state.metrics = metrics
    problems.install(app)
    app.add_middleware(QuickCalls, api=app, routers=list(every_router()))
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(CrossOrigin)
    app.add_middleware(RequestContext, metrics=metrics)
    return app


class _Api(FastAPI):
    """FastAPI with Farebox' routes and their document, which know nothing of what is configured."""

    def __init__(self, lifespan: Lifespan[FastAPI] | None = None) -> None:
        super().__init__(
            title="Farebox",
            version="1",
            summary="Metering, pricing and billing of an AI API",
            description="Every call has the header `authorization: Bearer <credential>`: an API "
            "key or a session of the portal. An error has a `code` that stays the same, and a "
            "sentence.",
            lifespan=lifespan,
            docs_url=None,
            redoc_url=None,
            routes=_routes(),
            # It would ask OpenTelemetry's providers with each request whether one was set up
            telemetry={"tracing": False, "metrics": False, "logs": False},
        )

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        return _document()


@cache
def _document() -> dict[str, Any]:
    """The document of every app: FastAPI takes two seconds to write it."""
    return described(_Api())


@cache
def _routes() -> list[BaseRoute]:
    """The routes of every app: FastAPI takes a third of a second to work out what each reads.

    They know neither settings nor services, which a request finds in its app's state.
    """
    whole = APIRouter(
        dependencies=[Depends(refuse_unknown_parameters)],
        responses={
            "default": {
                "model": Problem,
                "description": "Problem details (RFC 9457)",
                "content": {problems.MEDIA_TYPE: {}},
            }
        },
    )
    for router in every_router():
        include_narrowed(whole, router)
    return whole.routes


def _identity_provider(settings: Settings) -> IdentityProvider | None:
    if settings.oidc_issuer is None:
        return None
    if settings.oidc_client_id is None:
        raise ConfigurationError("FAREBOX_OIDC_ISSUER is set, so FAREBOX_OIDC_CLIENT_ID must be.")
    return IdentityProvider(
        settings.oidc_issuer, settings.oidc_client_id, trust_emails=settings.oidc_trust_emails
    )


def _secret_scanner(settings: Settings) -> SecretScanner | None:
    url = settings.secret_scanning_keys_url
    return None if url is None else SecretScanner(url)
