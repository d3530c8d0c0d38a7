"""Examples for the OpenAPI document, made from the types of what is sent and answered. Pure.

An answer's example has every member; a request's has those that are needed, and some more where
none are. What can't be told from types, such as members that exclude one another, is written down
in ``WRITTEN``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from backend.api.example_texts import TEXTS, WRITTEN
from backend.api.example_values import (
    DAY,
    FITTING,
    INSTANT,
    KEYS,
    NAMED_IDS,
    PREFIXES,
    TAIL,
    VALUES,
)

_FEWEST: Final = 2
"""Members of a request's example, if it has as many."""
_REF: Final = "#/components/schemas/"
_NOTHING: Final = object()


def add_examples(document: dict[str, Any]) -> None:
    """Give every request and answer that has none an example, in place."""
    makers = {is_request: _Maker(document, is_request) for is_request in (True, False)}
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            place = f"{verb.upper()} {path}"
            request = operation.get("requestBody", {})
            for media_type, content in request.get("content", {}).items():
                _add(content, media_type, makers[True], f"{place} request")
            for status, response in operation["responses"].items():
                if status.startswith("2"):
                    for media_type, content in response.get("content", {}).items():
                        _add(content, media_type, makers[False], place)


def _add(content: dict[str, Any], media_type: str, maker: _Maker, place: str) -> None:
    if "example" in content or "examples" in content:
        return
    if place in WRITTEN:
        content["example"] = WRITTEN[place]
    elif "json" in media_type and "schema" in content and content["schema"]:
        content["example"] = maker.example(content["schema"])
    elif media_type in TEXTS:
        content["example"] = TEXTS[media_type]


class _Maker:
    """Makes examples of schemas of one document."""

    def __init__(self, document: Mapping[str, Any], is_request: bool) -> None:
        self._schemas: Mapping[str, Any] = document["components"]["schemas"]
        self._is_request = is_request
        self._under_way: list[str] = []

    def example(self, schema: Mapping[str, Any], name: str = "", within: str = "") -> Any:
        """Return an example; ``name`` is the member's, ``within`` the schema's that has it."""
        if "$ref" in schema:
            return self._of_reference(schema["$ref"].removeprefix(_REF), name)
        for given in ("example", "const"):
            if given in schema:
                return schema[given]
        if schema.get("examples"):
            return schema["examples"][0]
        if "enum" in schema:
            return schema["enum"][0]
        for several in ("anyOf", "oneOf"):
            if several in schema:
                if {"number", "string"} <= {choice.get("type") for choice in schema[several]}:
                    return _decimal(schema[several], name)
                return self._first(schema[several], name, within)
        if "allOf" in schema:
            return self.example(schema["allOf"][0], name, within)
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return self._object(schema, name)
        if kind == "array":
            item = self.example(schema.get("items", {}), name, within)
            return [] if item is _NOTHING else [item] * max(1, schema.get("minItems", 1))
        if kind == "string":
            return _text(schema, name, within)
        if kind in ("integer", "number"):
            return _number(schema)
        if kind == "boolean":
            return schema.get("default", False)
        return {} if kind is None else None

    def _of_reference(self, target: str, name: str) -> Any:
        if self._is_request and target in WRITTEN:
            return WRITTEN[target]
        if target in self._under_way:
            return _NOTHING
        self._under_way.append(target)
        try:
            return self.example(self._schemas[target], name, target)
        finally:
            self._under_way.pop()

    def _first(self, choices: list[Mapping[str, Any]], name: str, within: str) -> Any:
        """Return an example of the first choice that is one, null if there is no other."""
        order = sorted(choices, key=lambda choice: choice.get("type") == "null")
        for choice in order:
            value = self.example(choice, name, within)
            if value is not _NOTHING:
                return value
        return _NOTHING

    def _object(self, schema: Mapping[str, Any], name: str) -> Any:
        properties: Mapping[str, Any] = schema.get("properties", {})
        within = schema.get("title", "")
        if not properties:
            patterns = schema.get("patternProperties", {})
            values = next(iter(patterns.values()), schema.get("additionalProperties"))
            if not isinstance(values, dict) or not values:
                return {}
            value = self.example(values, KEYS.get(name, name))
            return {} if value is _NOTHING else {KEYS.get(name, "sample"): value}
        wanted = list(properties)
        if self._is_request:
            required = schema.get("required", [])
            optional = [each for each in wanted if each not in required]
            wanted = [*required, *optional[: max(0, _FEWEST - len(required))]]
        values = {each: self.example(properties[each], each, within) for each in wanted}
        return {each: value for each, value in values.items() if value is not _NOTHING}


def _text(schema: Mapping[str, Any], name: str, within: str) -> Any:
    form = schema.get("format")
    if form == "date-time":
        return INSTANT
    if form == "date":
        return DAY
    for candidate in (*_by_name(name, within), schema.get("default"), *FITTING):
        if isinstance(candidate, str) and _fits(candidate, schema):
            return candidate
    return "x" * max(1, schema.get("minLength", 1))


def _by_name(name: str, within: str) -> list[str]:
    prefix = NAMED_IDS.get(name)
    if name == "id":
        # The longest: an ``InvoiceItem`` is no ``Invoice``
        titles = [title for title in PREFIXES if within.startswith(title)]
        prefix = PREFIXES[max(titles, key=len)] if titles else None
    value = VALUES.get(name)
    values = [] if prefix is None else [f"{prefix}_{TAIL}"]
    return values if value is None else [*values, value]


def _fits(text: str, schema: Mapping[str, Any]) -> bool:
    pattern = schema.get("pattern")
    if pattern is not None and re.search(pattern, text) is None:
        return False
    return bool(schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)))


def _decimal(choices: list[Mapping[str, Any]], name: str) -> str:
    """Return a decimal as it crosses the wire: a text, so that no digit is lost."""
    number = next(choice for choice in choices if choice.get("type") == "number")
    written = VALUES.get(name, "")
    if re.fullmatch(r"[0-9.]+", str(written)) and float(written) <= number.get("maximum", 1e18):
        return str(written)
    return str(_number(number))


def _number(schema: Mapping[str, Any]) -> float:
    number = schema.get("default")
    if not isinstance(number, int | float):
        low = max(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1), 1)
        number = min(low, schema.get("maximum", low))
    return int(number) if number == int(number) else number
