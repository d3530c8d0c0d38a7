"""What a call is made with: lengths, chances, functions, the answer's form. Plain functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from portal.features.playground.calls.checks import Wrong, schema_in, stops_in, tools_in

DEFAULT_SYSTEM: Final = "You are a helpful assistant. Answer briefly."
MOST_SYSTEM: Final = 32_000
MOST_JSON: Final = 64_000
FORMATS: Final = {"text": "Text", "json_object": "JSON object", "json_schema": "JSON schema"}


@dataclass(frozen=True)
class Parameters:
    """A call's parameters, as they are written.

    ``top_p`` of 1, penalties of 0 and an empty ``seed`` or ``stop`` are the model's own, and are
    not sent. ``stop`` has a sequence a line; ``tools`` and ``schema`` are JSON.
    """

    system: str = DEFAULT_SYSTEM
    temperature: float = 0.7
    max_tokens: int = 256
    top_p: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    seed: str = ""
    stop: str = ""
    tools: str = ""
    format: str = "text"
    schema: str = ""


_BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "temperature": (0, 2),
    "top_p": (0.01, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
_LENGTHS: Final[Mapping[str, int]] = {
    "system": MOST_SYSTEM,
    "seed": 20,
    "stop": 400,
    "tools": MOST_JSON,
    "schema": MOST_JSON,
}


def changed(parameters: Parameters, field: str, value: object, *, longest: int) -> Parameters:
    """The parameters with one changed, within its bounds; a browser may send anything.

    ``longest`` is the longest answer of the models that are asked, in tokens.
    """
    if field in _BOUNDS:
        low, high = _BOUNDS[field]
        number = within(value, low, high, otherwise=getattr(parameters, field))
        return _with(parameters, field, round(number, 2))
    if field == "max_tokens":
        number = within(value, 1, longest, otherwise=parameters.max_tokens)
        return replace(parameters, max_tokens=int(number))
    if field in _LENGTHS and isinstance(value, str):
        return _with(parameters, field, value[: _LENGTHS[field]])
    if field == "format" and value in FORMATS:
        return replace(parameters, format=str(value))
    return parameters


def _with(parameters: Parameters, field: str, value: object) -> Parameters:
    change: dict[str, Any] = {field: value}
    return replace(parameters, **change)


def within(chosen: object, low: float, high: float, *, otherwise: float) -> float:
    """A number that somebody chose, no lower or higher than may be; ``otherwise`` for no number."""
    try:
        number = float(chosen)  # type: ignore[arg-type]  # anything: what float refuses is caught
    except (TypeError, ValueError):
        return otherwise
    return otherwise if math.isnan(number) else min(high, max(low, number))


def problems(parameters: Parameters) -> dict[str, str]:
    """What can't be sent, by field, in sentences; empty if all can."""
    wrong: dict[str, str] = {}
    for field, read in (
        ("seed", lambda: _seed(parameters)),
        ("stop", lambda: stops_in(parameters.stop)),
        ("tools", lambda: tools_in(parameters.tools)),
        ("schema", lambda: _format(parameters)),
    ):
        try:
            read()
        except Wrong as problem:
            wrong[field] = str(problem)
    return wrong


def to_body(parameters: Parameters) -> dict[str, Any]:
    """The parameters as OpenAI's request has them; what is the model's own is left out.

    Raises:
        Wrong: one of them can't be sent; see ``problems``.
    """
    body: dict[str, Any] = {
        "temperature": parameters.temperature,
        "max_tokens": parameters.max_tokens,
        "top_p": parameters.top_p if parameters.top_p != 1 else None,
        "frequency_penalty": parameters.frequency_penalty or None,
        "presence_penalty": parameters.presence_penalty or None,
        "seed": _seed(parameters),
        "stop": stops_in(parameters.stop) or None,
        "tools": tools_in(parameters.tools) or None,
        "response_format": _format(parameters),
    }
    return {name: value for name, value in body.items() if value is not None}


def _seed(parameters: Parameters) -> int | None:
    text = parameters.seed.strip()
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise Wrong("A seed is a whole number, such as 42.") from None


def _format(parameters: Parameters) -> dict[str, Any] | None:
    if parameters.format == "json_object":
        return {"type": "json_object"}
    if parameters.format == "json_schema":
        schema = schema_in(parameters.schema)
        return {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": schema},
        }
    return None


def to_content(parameters: Parameters) -> dict[str, Any]:
    """The parameters as JSON, without what is as usual."""
    usual = Parameters()
    return {
        field.name: getattr(parameters, field.name)
        for field in fields(Parameters)
        if getattr(parameters, field.name) != getattr(usual, field.name)
    }


def from_content(content: object, *, longest: int) -> Parameters:
    """Parameters from JSON, which anybody may have written."""
    parameters = Parameters()
    for field, value in content.items() if isinstance(content, dict) else ():
        parameters = changed(parameters, str(field), value, longest=longest)
    return parameters
