"""What a provider's export looks like as JSON, for the API's description.

The reader is stricter, and names the member: ``backend/metering/reconciliation``. Members beside
these are allowed here, since ``ignore_fields`` may name them.
"""

from __future__ import annotations

from typing import Any, Final

_TEXT: Final = {"type": "string"}
_RESULTS: Final = {
    "type": "array",
    "items": {"type": "object"},
    "description": "What was used or charged in that day, with its model.",
}
_OPENAI: Final[dict[str, Any]] = {
    "title": "OpenAI: a day of usage or costs",
    "type": "object",
    "required": ["start_time", "end_time", "results"],
    "properties": {
        "object": {"const": "bucket"},
        "start_time": {"type": "integer", "description": "Seconds since 1970, at midnight UTC."},
        "end_time": {"type": "integer", "description": "Seconds since 1970, a day later."},
        "start_time_iso": _TEXT,
        "end_time_iso": _TEXT,
        "results": _RESULTS,
    },
}
_ANTHROPIC: Final[dict[str, Any]] = {
    "title": "Anthropic: a day of usage or costs",
    "type": "object",
    "required": ["starting_at", "ending_at", "results"],
    "properties": {
        "starting_at": {"type": "string", "format": "date-time"},
        "ending_at": {"type": "string", "format": "date-time"},
        "results": _RESULTS,
    },
}
_OPENROUTER: Final[dict[str, Any]] = {
    "title": "OpenRouter: a day of a model",
    "type": "object",
    "required": ["date", "model", "model_permaslug"],
    "properties": {
        "date": _TEXT,
        "model": _TEXT,
        "model_permaslug": _TEXT,
        "usage": {"type": "number", "description": "US dollars."},
        "requests": {"type": "integer"},
        "prompt_tokens": {"type": "integer", "description": "The cached ones among them."},
        "completion_tokens": {"type": "integer", "description": "The reasoning among them."},
    },
}
_PAGE: Final[dict[str, Any]] = {
    "title": "A page of the provider's API",
    "type": "object",
    "required": ["data"],
    "properties": {
        "object": {"const": "page", "description": "As OpenAI's pages say."},
        "data": {"type": "array", "items": {"anyOf": [_OPENAI, _ANTHROPIC, _OPENROUTER]}},
        "has_more": {"type": "boolean", "description": "False in the last page."},
        "next_page": {"type": ["string", "null"]},
    },
}
PROVIDER_EXPORT: Final[dict[str, Any]] = {
    "title": "Provider's export",
    "description": "A page as OpenAI's, Anthropic's or OpenRouter's API answers it, unchanged, or "
    "all pages in an array.",
    "anyOf": [_PAGE, {"type": "array", "items": _PAGE, "minItems": 1}],
}
