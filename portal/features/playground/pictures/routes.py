"""Uploads a question's picture, and shows it again to who uploaded it."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from backend_client import ClientError, Unauthenticated
from portal.features.playground.pictures.pictures import ADDRESS, MOST_BYTES, NotTaken, pictures
from portal.session.guard import DEVELOPERS, Caller, callers, may_change, owner
from portal.settings import portal_settings

_HEADERS = {
    "Cache-Control": "no-store",
    # A browser lays out a picture's own page by an inline style
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def _caller(request: Request) -> Caller | Response:
    address = request.client.host if request.client else None
    token = request.cookies.get(portal_settings().session_cookie, "")
    try:
        return await callers.find(token, address=address)
    except Unauthenticated:
        return PlainTextResponse("Sign in first.", status_code=401)
    except ClientError as problem:
        return PlainTextResponse(str(problem), status_code=502)


async def upload(request: Request) -> Response:
    """Hold the picture that is the request's body, from a page of the portal's own."""
    if request.headers.get("origin") not in portal_settings().origins:
        return PlainTextResponse("Send it from the portal's own page.", status_code=403)
    caller = await _caller(request)
    if isinstance(caller, Response):
        return caller
    if not may_change(caller.me, DEVELOPERS):
        return PlainTextResponse("Your role here may look, but not call models.", status_code=403)
    content = bytearray()
    try:
        async for part in request.stream():
            content += part
            if len(content) > MOST_BYTES:
                break
    except ClientDisconnect:
        return Response(status_code=400)
    try:
        picture_id = pictures.put(owner(caller.me), bytes(content))
    except NotTaken as problem:
        status = 413 if len(content) > MOST_BYTES else 415
        return PlainTextResponse(str(problem), status_code=status)
    return JSONResponse({"id": picture_id})


async def show(request: Request) -> Response:
    """A picture, for its owner alone."""
    caller = await _caller(request)
    if isinstance(caller, Response):
        return caller
    picture = pictures.find(owner(caller.me), request.path_params["picture"])
    if picture is None:
        return PlainTextResponse("This picture is not here any more.", status_code=404)
    return Response(picture.content, media_type=picture.head.media_type, headers=_HEADERS)


ROUTES = (
    Route("/uploads/pictures", upload, methods=["POST"]),
    Route(ADDRESS + "{picture}", show, methods=["GET"]),
)
