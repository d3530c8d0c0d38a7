"""A request of the API as data: what to send, and how to read the answer.

The clients' methods make these, and a sender sends them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter

from backend_client.errors import UnexpectedAnswer
from backend_client.queries import Params, query
from backend_client.types.common import Page
from backend_client.types.corrections import CorrectionBatch, CorrectionResult
from backend_client.types.events import UsageEvent
from backend_client.types.reconciliation import Reconciliation, ReconciliationOptions
from backend_client.types.texts import AS_STORED

Answer = TypeVar("Answer")
AnswerOut = TypeVar("AnswerOut", covariant=True)
JSON: Final = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Call(Generic[AnswerOut]):
    """A request. ``repeatable`` ones are sent again after a failure that may pass."""

    method: str
    path: str
    read: Callable[[httpx.Response], AnswerOut]
    params: Params = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    repeatable: bool = True

    def page(self, cursor: str) -> Call[AnswerOut]:
        """The same request for the page that ``cursor`` names."""
        return replace(self, params={**self.params, "cursor": cursor})

    def answer(self, response: httpx.Response) -> AnswerOut:
        """Read a successful answer; raise ``UnexpectedAnswer`` if it is not what it should be."""
        try:
            return self.read(response)
        except ValueError as error:  # pydantic's and the JSON reader's are such
            raise UnexpectedAnswer(
                f"What answers {self.method} {self.path} does not speak as Farebox does. Is the "
                "address right, and the client as new as the API?",
                response=response,
            ) from error


def path(*segments: str | int, tenant: str | None = None, suffix: str = "") -> str:
    """Write the path of what belongs to the caller's tenant; to another, for the operator.

    An id stays one segment, whatever is in it.
    """
    owner = () if tenant is None else ("tenants", tenant)
    # Dots are escaped too: a segment of two would name the path above.
    quoted = [quote(str(part), safe="").replace(".", "%2E") for part in (*owner, *segments)]
    return f"/v1/{'/'.join(quoted)}{suffix}"


def get(at: str, kind: type[Answer], params: Params | None = None) -> Call[Answer]:
    """Ask for something."""
    return Call("GET", at, json_of(kind), params or {})


def get_text(at: str, params: Params | None = None) -> Call[str]:
    """Ask for a text, such as CSV."""
    return Call("GET", at, lambda response: response.text, params or {})


def get_bytes(at: str, params: Params | None = None) -> Call[bytes]:
    """Ask for a file."""
    return Call("GET", at, lambda response: response.content, params or {})


def put(at: str, kind: type[Answer], params: Params | None = None) -> Call[Answer]:
    """Set something that its path says whole."""
    return Call("PUT", at, json_of(kind), params or {})


def post(at: str, kind: type[Answer], *, repeatable: bool) -> Call[Answer]:
    """Have something done. ``repeatable`` if a second time does no harm."""
    return Call("POST", at, json_of(kind), repeatable=repeatable)


def delete(at: str, params: Params | None = None, *, repeatable: bool) -> Call[None]:
    """Remove something. ``repeatable`` if a second time is no failure."""
    return Call("DELETE", at, nothing, params or {}, repeatable=repeatable)


def send(
    method: str, at: str, body: BaseModel, kind: type[Answer], *, repeatable: bool
) -> Call[Answer]:
    """Send a body. ``repeatable`` if a second time does no harm."""
    content = body.model_dump_json().encode()
    return Call(method, at, json_of(kind), headers=JSON, content=content, repeatable=repeatable)


def send_for_bytes(method: str, at: str, body: BaseModel) -> Call[bytes]:
    """Send a body that asks for a file; sent again after a failure that may pass."""
    content = body.model_dump_json().encode()
    return Call(method, at, lambda response: response.content, headers=JSON, content=content)


def edit(at: str, body: BaseModel, kind: type[Answer]) -> Call[Answer]:
    """Change what was given of the body; what was left out stays, which null may not mean."""
    content = body.model_dump_json(exclude_unset=True).encode()
    return Call("PATCH", at, json_of(kind), headers=JSON, content=content, repeatable=True)


def create(at: str, body: BaseModel, kind: type[Answer]) -> Call[Answer]:
    """A create that may be sent again, because its key tells the API that it is the same."""
    content = body.model_dump_json().encode()
    headers = {**JSON, "idempotency-key": uuid.uuid4().hex}
    return Call("POST", at, json_of(kind), headers=headers, content=content)


def event_batch(
    at: str, events: Sequence[UsageEvent | Mapping[str, Any]], kind: type[Answer]
) -> Call[Answer]:
    """Send events, which count once however often they are sent; a mapping goes as it is."""
    if all(isinstance(event, UsageEvent) for event in events):
        # In one go, which takes three fifths of the time of one by one
        content = _adapter(list[UsageEvent]).dump_json(list(events), exclude_none=True)
    else:
        members = [
            event.model_dump(mode="json", exclude_none=True)
            if isinstance(event, UsageEvent)
            else event
            for event in events
        ]
        content = json.dumps(members).encode()
    headers = {"content-type": "application/cloudevents-batch+json"}
    return Call("POST", at, json_of(kind), headers=headers, content=content)


def correction(corrections: CorrectionBatch, *, preview: bool) -> Call[CorrectionResult]:
    """Correct events, or preview it; harmless to repeat, for each correction has an id."""
    call = send("POST", path("corrections"), corrections, CorrectionResult, repeatable=True)
    return replace(call, params=query(preview=preview))


def provider_export(
    export: bytes, options: ReconciliationOptions, name: str
) -> Call[Reconciliation]:
    """Import a provider's export; harmless to repeat, for the same file is the same import."""
    return Call(
        "POST",
        path("reconciliations"),
        json_of(Reconciliation),
        query(options=options.model_dump_json(exclude_defaults=True), name=name),
        {"content-type": "application/octet-stream"},
        export,
    )


def once_computed(call: Call[Answer]) -> Call[Answer | None]:
    """The same question, answered with None while its answer is being computed."""
    read = _none_on(httpx.codes.ACCEPTED, call.read)
    return Call(call.method, call.path, read, call.params)


def if_changed(call: Call[Answer], etag: str | None) -> Call[Answer | None]:
    """The same question, answered with None if what has ``etag`` is still its answer."""
    headers = {} if etag is None else {"if-none-match": etag}
    read = _none_on(httpx.codes.NOT_MODIFIED, call.read)
    return Call(call.method, call.path, read, call.params, headers)


def _none_on(
    status: int, read: Callable[[httpx.Response], Answer]
) -> Callable[[httpx.Response], Answer | None]:
    return lambda response: None if response.status_code == status else read(response)


def nothing(_response: httpx.Response) -> None:
    """Read an answer that has no body, or whose body is read as it comes."""


def whole_list(at: str, item: type[Answer]) -> Call[Page[Answer]]:
    """Ask for a list that does not come in pages; it is read as its one page."""
    read = json_of(list[item])  # type: ignore[valid-type]  # a type that is known when it runs
    return Call("GET", at, lambda response: Page(items=read(response)))


def json_of(kind: type[Answer]) -> Callable[[httpx.Response], Answer]:
    """Make what reads an answer of ``kind``."""
    adapter: TypeAdapter[Answer] = _adapter(kind)
    return lambda response: adapter.validate_json(response.content, context=AS_STORED)


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
