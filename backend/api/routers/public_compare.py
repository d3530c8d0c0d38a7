"""Plans compared by anybody, where the seller has it so."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from backend.api.decimal_bodies import body_of
from backend.api.dependencies import Services, ServicesNow
from backend.api.routers.simulate import printed
from backend.catalog import published as catalog
from backend.catalog.yaml_reading import parse_exactly
from backend.spend.errors import PublicCompareOff
from backend.spend.public_simulation import simulate_publicly
from backend_client.types.simulate import PublicModel, PublicModels, Simulation, SimulationRequest

router = APIRouter(tags=["spend"])


@router.get("/v1/public/models")
async def get_public_models(services: ServicesNow) -> PublicModels:
    """List the models on sale by their names, for a comparison without a credential."""
    _open(services)
    async with services.database.begin() as connection:
        models = await catalog.models_on_sale(connection)
    return PublicModels(models=[PublicModel(id=model.id, name=model.name) for model in models])


@router.post("/v1/public/simulate", openapi_extra=body_of(SimulationRequest))
async def post_public_simulation(services: ServicesNow, request: Request) -> Simulation:
    """Return what a workload would cost on each plan that anybody may choose; no credential.

    Needs `FAREBOX_PUBLIC_COMPARE`. How often one address may ask is limited.
    """
    return await _compared(services, request)


@router.post(
    "/v1/public/simulate.pdf",
    openapi_extra=body_of(SimulationRequest),
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}}},
)
async def post_public_simulation_pdf(services: ServicesNow, request: Request) -> Response:
    """Return the same comparison as a PDF, to be sent or printed."""
    return await printed(services, await _compared(services, request))


async def _compared(services: Services, request: Request) -> Simulation:
    _open(services)
    asked = parse_exactly(await request.body(), SimulationRequest)
    settings = services.settings
    async with services.database.begin() as connection:
        return await simulate_publicly(
            connection,
            asked,
            datetime.now(UTC),
            currency=settings.default_currency,
            time_zone=settings.default_time_zone,
        )


def _open(services: Services) -> None:
    if not services.settings.public_compare:
        raise PublicCompareOff()
    services.public_questions.count()
