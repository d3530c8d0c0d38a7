"""The events that match the filters, as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.requests import Request

from portal.features.events.csv_file import event_lines, head_line
from portal.features.events.question import EventQuestion, event_filter
from portal.kit.form_problems import FormProblems
from portal.session.downloads import Download, NothingToDownload, download
from portal.session.guard import Caller
from portal.shared.filters.question import SPANS, question_of
from portal.shared.names import names_of

EVENTS_AT_ONCE = 200


async def events_csv(caller: Caller, request: Request) -> Download:
    """The events that match the events page's filters, as CSV, written as they are read."""
    now = datetime.now(UTC)
    tenant = caller.me.tenant
    try:
        question = question_of(EventQuestion, request.query_params, span=SPANS)
        wanted = event_filter(question, now=now, time_zone=tenant.time_zone)
    except FormProblems as problem:
        reason = f"There is nothing to download: {problem}"
        raise NothingToDownload(reason, status=422) from problem
    names = await names_of(caller)
    pages = caller.client.events.list(limit=EVENTS_AT_ONCE, **wanted).pages()
    first = await anext(pages)  # what the API refuses is reported before the file begins

    async def lines() -> AsyncIterator[str]:
        yield head_line()
        yield event_lines(first.items, names)
        async for page in pages:
            yield event_lines(page.items, names)

    return Download(lines(), f"events-{tenant.slug}-{now:%Y%m%d-%H%M}.csv")


DOWNLOADS = (download("/downloads/events.csv", events_csv),)
