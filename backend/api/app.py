"""The API: its services and its routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from backend.accounts.authenticator import Authenticator
from backend.accounts.identity import IdentityProvider
from backend.api import problems
from backend.api.body_limits import BodyBudget
from backend.api.dependencies import Services
from backend.api.middleware import BodyLimit, Metrics, RequestContext
from backend.api.openapi import DescribedApi
from backend.api.query_parameters import refuse_unknown_parameters
from backend.api.routers import every_router
from backend.errors import ConfigurationError
from backend.gateway.gateway import Gateway
from backend.invoices.previewing import TaxPreview
from backend.invoices.taxing.service import tax_service_of
from backend.kit.side_process import SideProcess
from backend.metering.ingest.acceptance import Ingest
from backend.metering.ingest.stream import UsageStream
from backend.metering.queries.tail import Tails
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
        authenticator = Authenticator(database)
        side_process = SideProcess()
        gateway_now = Gateway(settings, database, stream)
        taxes = tax_service_of(settings)
        app.state.services = Services(
            settings=settings,
            database=database,
            stream=stream,
            ingest=Ingest(settings, database, stream),
            body_budget=BodyBudget(settings.ingest_memory_bytes),
            tails=Tails(database),
            authenticator=authenticator,
            gateway=gateway_now,
            identity_provider=_identity_provider(settings),
            tax_service=taxes,
            tax_preview=TaxPreview(taxes),
            side_process=side_process,
        )
        try:
            yield
        finally:
            # In this order: calls under way publish their usage before the stream is closed.
            await gateway_now.close()
            await stream.close()
            await database.close()
            if taxes is not None:
                await taxes.close()
            side_process.close()

    app = DescribedApi(
        title="Farebox",
        version="1",
        summary="Metering, pricing and billing of an AI API",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(refuse_unknown_parameters)],
        responses={
            "default": {
                "model": Problem,
                "description": "Problem details (RFC 9457)",
                "content": {problems.MEDIA_TYPE: {}},
            }
        },
    )
    metrics = Metrics()
    app.state.metrics = metrics
    problems.install(app)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(RequestContext, metrics=metrics)
    for router in every_router():
        app.include_router(router)
    return app


def _identity_provider(settings: Settings) -> IdentityProvider | None:
    if settings.oidc_issuer is None:
        return None
    if settings.oidc_client_id is None:
        raise ConfigurationError("FAREBOX_OIDC_ISSUER is set, so FAREBOX_OIDC_CLIENT_ID must be.")
    return IdentityProvider(settings.oidc_issuer, settings.oidc_client_id)
