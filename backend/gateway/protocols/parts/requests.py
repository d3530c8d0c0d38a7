"""What the requests of all protocols have in common, and how a wrong one is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from backend.gateway.errors import InvalidRequest
from backend_client.types.problems import FieldError

MOST_TURNS: Final = 32
"""How often a provider may run the model again for one answer, with what its tools brought."""

_DEEPER: Final = 10
"""How many levels a request may gain on its way, by its translation for an upstream."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the requests of all protocols have."""

    document: dict[str, Any]
    model: str
    stream: bool


def read_request(body: bytes) -> Request:
    """Return a request's object, which can be written again, its model and whether it streams.

    Raises ``InvalidRequest``.
    """
    document = _read_object(body)
    model, stream = _read_model(document), _read_stream(document)
    _refuse_too_deep(document)
    return Request(document, model, stream)


def are_texts(messages: Iterable[dict[str, Any]]) -> bool:
    """Return whether messages of a chat are without pictures, sound and files."""
    return all(
        isinstance(message["content"], str | None)
        or all(part.get("type") == "text" for part in message["content"])
        for message in messages
    )


def _read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body; raises ``InvalidRequest``."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}") from error
    if not isinstance(request, dict):
        raise InvalidRequest("The body must be a JSON object.")
    return request


def _read_model(request: dict[str, Any]) -> str:
    """Return the name of the model; raises ``InvalidRequest``."""
    model = request.get("model")
    if not isinstance(model, str):
        raise wrong("model", "must be the name of a model")
    return model


def read_messages(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages; raises ``InvalidRequest``."""
    messages = request.get("messages")
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise wrong("messages", "must be an array of messages")
    if not messages:
        raise wrong("messages", "must hold at least one message")
    return messages


def _read_stream(request: dict[str, Any]) -> bool:
    """Return whether the answer is to be streamed; raises ``InvalidRequest``."""
    stream = request.get("stream", False)
    if not isinstance(stream, bool | None):
        raise wrong("stream", "must be true or false")
    return bool(stream)


def wants_thoughts(request: dict[str, Any]) -> bool:
    """Return whether a request asks for thinking, by any protocol's member for it.

    OpenAI's chats have ``reasoning_effort``, its responses and OpenRouter ``reasoning``, Anthropic
    ``thinking``.
    """
    reasoning, thinking = request.get("reasoning"), request.get("thinking")
    effort = request.get("reasoning_effort")
    if isinstance(reasoning, dict):
        effort = effort or reasoning.get("effort") or bool(reasoning.get("max_tokens"))
    if isinstance(thinking, dict):
        effort = effort or thinking.get("type") in ("enabled", "adaptive")
    return bool(effort) and effort != "none"


def _refuse_too_deep(request: dict[str, Any]) -> None:
    """Raise ``InvalidRequest`` for what can be parsed but not written again: it is too deep."""
    deepened: object = request
    for _ in range(_DEEPER):
        deepened = [deepened]
    try:
        orjson.dumps(deepened)
    except orjson.JSONEncodeError as error:
        raise InvalidRequest("The body is nested too deeply.") from error


def wrong(parameter: str, detail: str) -> InvalidRequest:
    """Return the error for a parameter that is not as it must be."""
    return InvalidRequest(
        f"{parameter} {detail}.", errors=[FieldError(field=parameter, detail=detail)]
    )


def uncounted_bytes(request: dict[str, Any], *, counted: Collection[str]) -> int:
    """Return the size, as JSON, of the members that could be a part of the prompt.

    ``counted`` are the members that another rule covers, or that never reach the prompt. Numbers
    and truth values of their own say nothing to a model; all else may be put into its prompt.
    """
    return sum(
        len(orjson.dumps({name: value}))
        for name, value in request.items()
        if name not in counted and isinstance(value, str | list | dict)
    )


def read_limit(request: dict[str, Any], name: str, *, most: int | None = None) -> int | None:
    """Return a parameter that is a positive whole number, None without it.

    Raises ``InvalidRequest``.
    """
    value = request.get(name)
    if value is None:
        return None
    if type(value) is not int or value < 1 or (most is not None and value > most):
        raise wrong(name, f"must be a whole number from 1{'' if most is None else f' to {most}'}")
    return value
