"""The comparison as a file."""

from __future__ import annotations

from starlette.requests import Request

from portal.features.compare.csv_file import simulation_csv
from portal.features.compare.workload import from_query, simulation
from portal.session.downloads import Download, NothingToDownload, download
from portal.session.guard import Caller


async def plans_csv(caller: Caller, request: Request) -> Download:
    """Each plan's bills, line by line, as CSV."""
    models = [model.id for model in await caller.client.models.list().all()]
    question = simulation(from_query(request.query_params, models))
    if question is None:
        raise NothingToDownload("There is no model to compare plans for.", status=404)
    answer = await caller.client.simulations.run(question)
    return Download(simulation_csv(answer), f"plans-{caller.me.tenant.slug}.csv")


DOWNLOADS = (download("/downloads/plans.csv", plans_csv),)
