"""The comparison as a file."""

from __future__ import annotations

import csv
import io

from starlette.requests import Request

from backend_client.types.common import plain
from portal.features.compare.workload import from_query, simulation
from portal.kit.formatting import period
from portal.session.downloads import Download, NothingToDownload, download
from portal.session.guard import Caller

HEADINGS = ("plan", "version", "fits", "period", "charge", "quantity", "amount", "currency")


async def plans_csv(caller: Caller, request: Request) -> Download:
    """Each plan's bills, line by line, as CSV."""
    models = [model.id for model in await caller.client.models.list().all()]
    question = simulation(from_query(request.query_params, models))
    if question is None:
        raise NothingToDownload("There is no model to compare plans for.", status=404)
    answer = await caller.client.simulations.run(question)
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(HEADINGS)
    for plan in answer.plans:
        for report in plan.periods:
            when = period(report.period.start, report.period.end, report.period.time_zone)
            start = (plan.plan, plan.plan_version, plan.fits, when)
            for line in report.lines:
                quantity, amount = plain(line.quantity), plain(line.amount.amount)
                writer.writerow([*start, line.name, quantity, amount, report.currency])
            for adjustment in report.adjustments:
                amount = plain(adjustment.amount.amount)
                writer.writerow([*start, adjustment.name, "", amount, report.currency])
    return Download(file.getvalue(), f"plans-{caller.me.tenant.slug}.csv")


DOWNLOADS = (download("/downloads/plans.csv", plans_csv),)
