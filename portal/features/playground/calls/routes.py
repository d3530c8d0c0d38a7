"""Answers as they come, for the browser that waits for them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from backend_client import ClientError, Unauthenticated
from portal.features.playground.calls.streams import streams
from portal.session.guard import callers, owner
from portal.settings import portal_settings


async def answer(request: Request) -> Response:
    """An answer's pieces as they come: each with a byte that ends it, to the answer's end.

    204 for a ticket whose answer has ended, since the page has it whole then, and for another's:
    a short answer may end before its reader asks, which is no fault for a console to show.
    """
    address = request.client.host if request.client else None
    token = request.cookies.get(portal_settings().session_cookie, "")
    try:
        caller = await callers.find(token, address=address)
    except Unauthenticated:
        return PlainTextResponse("Sign in first.", status_code=401)
    except ClientError as problem:
        return PlainTextResponse(str(problem), status_code=502)
    arriving = streams.find(request.path_params["ticket"], owner(caller.me))
    if arriving is None:
        return Response(status_code=204)
    return StreamingResponse(
        arriving.flushes(),
        media_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


ROUTES = (Route("/downloads/answers/{ticket}", answer, methods=["GET"]),)
