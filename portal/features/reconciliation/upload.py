"""A provider's file, dropped into the page: it is passed on to the API as it is.

A form of the browser's own, and not an event: a file does not go through the websocket, and
nothing of it is kept here.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from backend_client import PATIENT, ApiError, ClientError, Unauthenticated
from backend_client.types.reconciliation import ReconciliationOptions
from portal import routes
from portal.kit.form_problems import FormProblems, checked, paths_of, text_of
from portal.session.guard import callers
from portal.settings import portal_settings

PAGE: Final = "/reconciliation/"
MOST_BYTES: Final = 64 * 1024**2
"""Of a file: larger ones are imported by the command, which reads them piece by piece."""
_MOST_FAILURES: Final = 100
_MOST_LINES: Final = 50


class Failures:
    """Why files could not be read, for the page that the browser goes on to. Bounded."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def keep(self, person: str, text: str) -> str:
        """Keep a text for a person; return the ticket by which their page asks for it."""
        ticket = secrets.token_urlsafe(12)
        self._texts[ticket] = (person, text)
        if len(self._texts) > _MOST_FAILURES:
            self._texts.popitem(last=False)
        return ticket

    def find(self, person: str, ticket: str) -> str:
        """The text of a person's ticket; empty for another's, and once it is gone."""
        owner, text = self._texts.get(ticket, ("", ""))
        return text if owner == person else ""


failures = Failures()


def options_from(form: Mapping[str, Any]) -> ReconciliationOptions:
    """How to read the file; raises ``FormProblems``."""
    values = {
        "provider": text_of(form, "provider"),
        "time_zone": text_of(form, "time_zone") or "UTC",
    }
    return checked(ReconciliationOptions, values, {}, lambda paths: {"form": said(paths)})


def said(paths: list[tuple[str, str]]) -> str:
    """What is wrong, a line each, with its place in the file where the API names one."""
    lines = [f"{place}: {detail}" if place else detail for place, detail in paths]
    more = len(lines) - _MOST_LINES
    return "\n".join([*lines[:_MOST_LINES], *([f"And {more} more."] if more > 0 else [])])


async def take_file(request: Request) -> Response:
    """Import the file that the operator dropped, and go on to what differs in it."""
    settings = portal_settings()
    if request.headers.get("origin") not in settings.origins:
        return PlainTextResponse("Send it from the portal's own page.", status_code=403)
    try:
        address = request.client.host if request.client else None
        token = request.cookies.get(settings.session_cookie, "")
        caller = (await callers.find(token, address=address)).at(address)
    except Unauthenticated:
        return RedirectResponse(routes.sign_in(PAGE), status_code=303)
    except ClientError as problem:
        return PlainTextResponse(str(problem), status_code=502)
    if not caller.me.is_operator:
        return PlainTextResponse("Only the operator of this API can do this.", status_code=403)
    person = caller.me.user_id or ""
    if int(request.headers.get("content-length") or MOST_BYTES + 1) > MOST_BYTES:
        return _failed(person, "The file has more than 64 MB. Import it by the command.")
    try:
        async with request.form(max_files=1, max_fields=10) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile) or not file.filename:
                return _failed(person, "Choose a file, or drop one.")
            options = options_from(form)
            content = await file.read()
            client = caller.client.with_profile(PATIENT)
            imported = await client.reconciliations.create(
                content, options, name=file.filename[:200]
            )
    except FormProblems as problem:
        return _failed(person, str(problem))
    except Unauthenticated:
        return RedirectResponse(routes.sign_in(PAGE), status_code=303)
    except ApiError as problem:
        return _failed(person, said(paths_of(problem)))
    except ClientError as problem:
        return _failed(person, str(problem))
    return _to_page(imported=imported.id)


def _failed(person: str, text: str) -> Response:
    return _to_page(failed=failures.keep(person, text))


def _to_page(**view: str) -> Response:
    return RedirectResponse(f"{PAGE}?{urlencode(view)}", status_code=303)


UPLOADS = (Route("/uploads/reconciliation", take_file, methods=["POST"]),)
