"""The comparison as a file."""

from __future__ import annotations

from starlette.requests import Request

from backend_client.types.simulate import SimulationRequest
from portal.features.compare.csv_file import simulation_csv
from portal.features.compare.workload import from_query, simulation
from portal.session.downloads import PDF, Download, NothingToDownload, download
from portal.session.guard import Caller


async def plans_csv(caller: Caller, request: Request) -> Download:
    """Each plan's bills, line by line, as CSV."""
    answer = await caller.client.simulations.run(await _question(caller, request))
    return Download(simulation_csv(answer), f"plans-{caller.me.tenant.slug}.csv")


async def plans_pdf(caller: Caller, request: Request) -> Download:
    """The comparison to be sent or printed."""
    content = await caller.client.simulations.pdf(await _question(caller, request))
    return Download(content, f"plans-{caller.me.tenant.slug}.pdf", PDF)


async def _question(caller: Caller, request: Request) -> SimulationRequest:
    models = [model.id for model in await caller.client.models.list().all()]
    question = simulation(from_query(request.query_params, models))
    if question is None:
        raise NothingToDownload("There is no model to compare plans for.", status=404)
    return question


DOWNLOADS = (
    download("/downloads/plans.csv", plans_csv),
    download("/downloads/plans.pdf", plans_pdf),
)
