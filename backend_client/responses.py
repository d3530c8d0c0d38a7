"""An answer with what came around it: status, headers, request id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class RawResponse(Generic[Answer]):
    """What the API answered: ``parsed`` as the method returns it, and the rest of the answer."""

    parsed: Answer
    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def request_id(self) -> str | None:
        """What finds the request in the API's log."""
        request_id: str | None = self.headers.get("x-request-id")
        return request_id


_recorded: ContextVar[list[httpx.Response] | None] = ContextVar("recorded", default=None)


@contextmanager
def recording() -> Iterator[list[httpx.Response]]:
    """Collect the answers that this task or thread gets meanwhile, the last one last."""
    responses: list[httpx.Response] = []
    token = _recorded.set(responses)
    try:
        yield responses
    finally:
        _recorded.reset(token)


def record(response: httpx.Response) -> None:
    """Keep an answer for whoever is recording."""
    if (responses := _recorded.get()) is not None:
        responses.append(response)


def raw_response(parsed: Answer, responses: list[httpx.Response]) -> RawResponse[Answer]:
    """Put an answer together from what was recorded."""
    response = responses[-1]
    return RawResponse(parsed, response.status_code, response.headers, response.content)


def no_raw_response(method: Callable[..., Any]) -> TypeError:
    """The error for a method that gets no answer as a whole."""
    name = getattr(method, "__qualname__", repr(method))
    return TypeError(
        f"{name} has no raw response: it is a stream, or sends no request. "
        "with_raw_response takes methods that return an answer or a list."
    )
