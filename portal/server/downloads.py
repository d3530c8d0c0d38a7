"""Files that the browser downloads by a plain link; the cookie says for whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from backend_client import ClientError, Forbidden, NotFound, Unauthenticated
from backend_client.types.usage import UsageDimension
from portal.features.events.choice import WrongChoice, asked, from_query
from portal.features.events.csv_file import event_lines, head_line
from portal.features.usage.question import usage_question
from portal.features.usage.state import names_of
from portal.session.guard import callers
from portal.settings import SESSION_COOKIE, SIGN_IN_PAGE

EVERY_DIMENSION = tuple(UsageDimension)
EVENTS_AT_ONCE = 200
INVOICE_FILES = {"pdf": "application/pdf", "csv": "text/csv; charset=utf-8"}


async def usage_csv(request: Request) -> Response:
    """The usage of a range, by every dimension, as CSV."""
    token = request.cookies.get(SESSION_COOKIE, "")
    query = request.query_params
    try:
        caller = await callers.find(token)
        question = usage_question(
            query.get("range", ""),
            query.get("width", ""),
            "",
            now=datetime.now(UTC),
            time_zone=caller.me.tenant.time_zone,
        )
        text = await caller.client.usage_csv(
            start=question.start,
            end=question.end,
            granularity=question.granularity,
            group_by=EVERY_DIMENSION,
        )
    except Unauthenticated:
        return RedirectResponse(SIGN_IN_PAGE, status_code=303)
    except ClientError as problem:
        return PlainTextResponse(f"The download failed: {problem}", status_code=502)
    name = f"usage-{caller.me.tenant.slug}-{question.start:%Y%m%d}.csv"
    return Response(
        text,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def events_csv(request: Request) -> Response:
    """The events that the events page's filters let through, as CSV, written as they are read."""
    token = request.cookies.get(SESSION_COOKIE, "")
    now = datetime.now(UTC)
    try:
        caller = await callers.find(token)
        tenant = caller.me.tenant
        question = asked(from_query(request.query_params), now=now, time_zone=tenant.time_zone)
        names = await names_of(caller)
        # What the API refuses is told before the file begins
        first = await caller.client.event_page(limit=EVENTS_AT_ONCE, **question)
    except Unauthenticated:
        return RedirectResponse(SIGN_IN_PAGE, status_code=303)
    except WrongChoice as problem:
        return PlainTextResponse(f"There is nothing to download: {problem}", status_code=422)
    except ClientError as problem:
        return PlainTextResponse(f"The download failed: {problem}", status_code=502)

    async def lines() -> AsyncIterator[str]:
        yield head_line()
        page = first
        yield event_lines(page.items, names)
        while page.next_cursor is not None:
            page = await caller.client.event_page(
                limit=EVENTS_AT_ONCE, cursor=page.next_cursor, **question
            )
            yield event_lines(page.items, names)

    name = f"events-{tenant.slug}-{now:%Y%m%d-%H%M}.csv"
    return StreamingResponse(
        lines(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def invoice_file(request: Request) -> Response:
    """An invoice as PDF or CSV, as the API makes it."""
    token = request.cookies.get(SESSION_COOKIE, "")
    invoice_id, _, kind = request.path_params["file"].rpartition(".")
    if kind not in INVOICE_FILES:
        return PlainTextResponse("An invoice is a .pdf or a .csv.", status_code=404)
    content: bytes | str
    try:
        caller = await callers.find(token)
        invoice = await caller.client.invoice(invoice_id)
        if kind == "pdf":
            content = await caller.client.invoice_pdf(invoice_id)
        else:
            content = await caller.client.invoice_csv(invoice_id)
    except Unauthenticated:
        return RedirectResponse(SIGN_IN_PAGE, status_code=303)
    except (NotFound, Forbidden) as problem:
        return PlainTextResponse(f"There is nothing to download: {problem}", status_code=404)
    except ClientError as problem:
        return PlainTextResponse(f"The download failed: {problem}", status_code=502)
    name = invoice.number or f"draft-{invoice.period.start:%Y-%m}"
    return Response(
        content,
        media_type=INVOICE_FILES[kind],
        headers={"Content-Disposition": f'attachment; filename="{name}.{kind}"'},
    )


async def reconciliation_csv(request: Request) -> Response:
    """All discrepancies of an import, as CSV; for the operator."""
    token = request.cookies.get(SESSION_COOKIE, "")
    reconciliation_id = request.path_params["reconciliation"]
    try:
        caller = await callers.find(token)
        text = await caller.client.discrepancies_csv(reconciliation_id)
    except Unauthenticated:
        return RedirectResponse(SIGN_IN_PAGE, status_code=303)
    except (NotFound, Forbidden) as problem:
        return PlainTextResponse(f"There is nothing to download: {problem}", status_code=404)
    except ClientError as problem:
        return PlainTextResponse(f"The download failed: {problem}", status_code=502)
    return Response(
        text,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="discrepancies.csv"'},
    )


routes = [
    Route("/downloads/usage.csv", usage_csv, methods=["GET"]),
    Route("/downloads/events.csv", events_csv, methods=["GET"]),
    Route("/downloads/invoices/{file}", invoice_file, methods=["GET"]),
    Route("/downloads/reconciliations/{reconciliation}.csv", reconciliation_csv, methods=["GET"]),
]
