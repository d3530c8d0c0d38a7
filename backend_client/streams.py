"""Reading server-sent events: chunks of a chat completion, events and changes of usage."""

from __future__ import annotations

import json
from typing import Any, Final

import httpx

from backend_client.errors import Unavailable, UnexpectedAnswer
from backend_client.types.events import StoredEvent
from backend_client.types.texts import AS_STORED
from backend_client.types.usage import UsageVersion

DONE: Final = "[DONE]"
"""The data of the event that ends a chat completion."""


def event_data(line: str) -> str | None:
    """Return what a line of a stream carries; None for a line that carries nothing."""
    return line.removeprefix("data:").strip() if line.startswith("data:") else None


def chunk_of(data: str, response: httpx.Response) -> dict[str, Any]:
    """Read a chunk of a chat completion.

    Raises:
        Unavailable: the chunk says that the call failed.
        UnexpectedAnswer: it is no chunk.
    """
    try:
        chunk = json.loads(data)
    except ValueError as error:
        raise _no_chunk(response) from error
    if not isinstance(chunk, dict):
        raise _no_chunk(response)
    if isinstance(chunk.get("error"), dict):
        raise Unavailable(str(chunk["error"].get("message")), response=response)
    return chunk


def stored_event_of(data: str, response: httpx.Response) -> StoredEvent:
    """Read an event of the tail; raise ``UnexpectedAnswer`` for anything else."""
    try:
        return StoredEvent.model_validate_json(data, context=AS_STORED)
    except ValueError as error:
        detail = "The stream holds something that is no event."
        raise UnexpectedAnswer(detail, response=response) from error


def usage_version_of(data: str, response: httpx.Response) -> UsageVersion:
    """Read a change of usage; raise ``UnexpectedAnswer`` for anything else."""
    try:
        return UsageVersion.model_validate_json(data)
    except ValueError as error:
        detail = "The stream holds something that is no version of usage."
        raise UnexpectedAnswer(detail, response=response) from error


def _no_chunk(response: httpx.Response) -> UnexpectedAnswer:
    return UnexpectedAnswer("The stream holds something that is no chunk.", response=response)
