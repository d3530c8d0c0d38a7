"""Writes docs/errors.md from the code: ``python -m tests.docs.errors``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from backend.api.causes import causes
from backend.errors import FareboxError
from tests.docs.pages import DOCS

PAGE = DOCS / "errors.md"

_HEAD = """\
# Error codes

Every `code` that an error can have, by the room of the code that it comes from. A code stands for
one cause and has one status; it stays as it is, and new ones may be added. What an error looks like
is told on the page of [the API](api.md#errors). What belongs to another tenant is answered as if it
were not there. This page is written from the code by `python -m tests.docs.errors`, and the tests
compare the two.
"""

_EVERYWHERE = ("errors", "api", "kit")
_GATEWAY = """\

On OpenAI's routes errors have OpenAI's shape, with these codes and those of the other sections; all
of status 401 are `invalid_api_key` there, as OpenAI's clients expect.
"""


def errors_page() -> str:
    """The whole page."""
    rooms: dict[str, list[type[FareboxError]]] = {"": []}
    for cause in causes():
        room = cause.__module__.split(".")[1]
        rooms.setdefault("" if room in _EVERYWHERE else room, []).append(cause)
    sections = ("\n".join(_section(room, rooms[room])) for room in sorted(rooms))
    return "\n".join([_HEAD, *sections])


def _section(room: str, of_room: list[type[FareboxError]]) -> Iterator[str]:
    yield f"## {room.capitalize() or 'On any route'}"
    yield _GATEWAY if room == "gateway" else ""
    yield "| Status | Code | Title | Meaning |"
    yield "|---|---|---|---|"
    for cause in of_room:
        meaning = " ".join((inspect.getdoc(cause) or "").split())
        yield f"| {cause.status} | `{cause.code}` | {cause.title} | {meaning} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(errors_page())
