"""Where the request that is being answered came from, for whoever records it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """``address`` is the caller's network address, None if it has none (a Unix socket, a test).

    ``page`` is the web origin of the page whose script sent it, as browsers say; None of programs.
    All are None outside a request: on the command line, in the worker.
    """

    address: str | None = None
    request_id: str | None = None
    page: str | None = None


_NOWHERE = Origin()
_current: ContextVar[Origin] = ContextVar("origin", default=_NOWHERE)


def origin() -> Origin:
    """Return the origin of the request that this task answers."""
    return _current.get()


@contextmanager
def request_from(address: str | None, request_id: str, page: str | None = None) -> Iterator[None]:
    """Let ``origin`` say this, in the task and those that it begins, until the block ends."""
    token = _current.set(Origin(address, request_id, page))
    try:
        yield
    finally:
        _current.reset(token)
