"""The calls that match the filters, as a file."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request

from portal.features.requests.question import ALLOWED, RequestQuestion, request_filter
from portal.kit.form_problems import FormProblems
from portal.session.downloads import CSV, Download, NothingToDownload, begun, download
from portal.session.guard import Caller
from portal.shared.filters.question import question_of


async def requests_csv(caller: Caller, request: Request) -> Download:
    """All calls that match the filters, sent on as they come."""
    try:
        wanted = request_filter(
            question_of(RequestQuestion, request.query_params, **ALLOWED),
            now=datetime.now(UTC),
            time_zone=caller.me.tenant.time_zone,
        )
    except FormProblems as problem:
        raise NothingToDownload(str(problem), status=400) from None
    parts = await begun(caller.client.requests.export(**wanted))
    return Download(parts, "requests.csv", CSV)


DOWNLOADS = (download("/downloads/requests.csv", requests_csv),)
