"""A request of the API as data: what to send, and how to read the answer.

Both clients send these, so that each route is written down once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter

from backend_client.errors import UnexpectedAnswer

Answer = TypeVar("Answer", covariant=True)
Params = dict[str, str | int | list[str]]


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """A request. ``repeatable`` ones are sent again after a failure that may pass."""

    method: str
    path: str
    read: Callable[[httpx.Response], Answer]
    params: Params = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    repeatable: bool = True

    def page(self, cursor: str | None) -> Call[Answer]:
        """The same request for the page that ``cursor`` names."""
        params = self.params if cursor is None else {**self.params, "cursor": cursor}
        return Call(self.method, self.path, self.read, params, self.headers)

    def answer(self, response: httpx.Response) -> Answer:
        """Read a successful answer; raise ``UnexpectedAnswer`` if it is not what it should be."""
        try:
            return self.read(response)
        except ValueError as error:  # pydantic's and the JSON reader's are such
            raise UnexpectedAnswer(
                f"What answers {self.method} {self.path} does not speak as Farebox does. Is the "
                "address right, and the client as new as the API?"
            ) from error


_JSON = {"content-type": "application/json"}


def reader(kind: type[Answer] | Any) -> Callable[[httpx.Response], Any]:
    """Make what reads an answer of ``kind``."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    return lambda response: adapter.validate_json(response.content)


def nothing(_response: httpx.Response) -> None:
    """Read an answer that has no body."""
    return None


def segment(name: str) -> str:
    """Write an id as one segment of a path, whatever is in it."""
    # Dots too: a segment of two would name the path above.
    return quote(name, safe="").replace(".", "%2E")


def of_tenant(tenant: str | None, what: str) -> str:
    """Name what belongs to the caller's own tenant; or to another, for the operator."""
    return f"/v1/{what}" if tenant is None else f"/v1/tenants/{segment(tenant)}/{what}"


def get(path: str, kind: Any) -> Call[Any]:
    """Ask for something."""
    return Call("GET", path, reader(kind))


def send(method: str, path: str, body: BaseModel, kind: Any, *, repeatable: bool) -> Call[Any]:
    """Send a body. ``repeatable`` if a second time does no harm."""
    content = body.model_dump_json().encode()
    return Call(method, path, reader(kind), headers=_JSON, content=content, repeatable=repeatable)


def create(path: str, body: BaseModel, kind: Any) -> Call[Any]:
    """A create that may be sent again, because its key tells the API that it is the same."""
    content = body.model_dump_json().encode()
    headers = {**_JSON, "idempotency-key": uuid.uuid4().hex}
    return Call("POST", path, reader(kind), headers=headers, content=content)
