"""Files that the browser downloads by a plain link; the cookie says for whom."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from backend_client import PATIENT, ClientError, Forbidden, NotFound, Unauthenticated
from portal import routes
from portal.session.guard import Caller, callers
from portal.settings import portal_settings

CSV = "text/csv; charset=utf-8"
PDF = "application/pdf"


@dataclass(frozen=True, slots=True)
class Download:
    """A file for the browser. Content that comes in pieces is sent as it is read."""

    content: str | bytes | AsyncIterator[str]
    name: str
    media_type: str = CSV


class NothingToDownload(Exception):
    """There is no such file. The browser gets the reason, with an HTTP ``status``."""

    def __init__(self, reason: str, *, status: int) -> None:
        super().__init__(reason)
        self.status = status


async def begun(parts: AsyncGenerator[str, None]) -> AsyncIterator[str]:
    """Return the parts of a file once the first has come: a refusal is raised before it begins."""
    first = await anext(parts, "")

    async def all_parts() -> AsyncIterator[str]:
        yield first
        async for part in parts:
            yield part

    return all_parts()


def download(path: str, make: Callable[[Caller, Request], Awaitable[Download]]) -> Route:
    """A route that answers with the file that ``make`` returns for a signed-in person.

    Without a good session the browser goes to the sign-in page. ``make`` raises
    ``NothingToDownload``, or what the client raises: 404 for what the person can't see, 502 for
    an API that fails.
    """

    async def answer(request: Request) -> Response:
        try:
            address = request.client.host if request.client else None
            token = request.cookies.get(portal_settings().session_cookie, "")
            caller = (await callers.find(token, address=address)).at(address)
            # A file may take the API longer than a page
            patient = replace(caller, client=caller.client.with_profile(PATIENT))
            file = await make(patient, request)
        except Unauthenticated:
            return RedirectResponse(routes.SIGN_IN, status_code=303)
        except NothingToDownload as problem:
            return PlainTextResponse(str(problem), status_code=problem.status)
        except (NotFound, Forbidden) as problem:
            return PlainTextResponse(f"There is nothing to download: {problem}", status_code=404)
        except ClientError as problem:
            return PlainTextResponse(f"The download failed: {problem}", status_code=502)
        return _response(file)

    return Route(path, answer, methods=["GET"])


def _response(file: Download) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    if isinstance(file.content, AsyncIterator):
        return StreamingResponse(file.content, media_type=file.media_type, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
