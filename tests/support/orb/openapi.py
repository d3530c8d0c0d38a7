"""Checks requests against a part of Orb's published OpenAPI.

``openapi.json`` is taken from https://github.com/orbcorp/orb-python, Apache-2.0; the notice stands
beside it. What is not described there is refused: Farebox does not send it.
"""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

SPEC: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("openapi.json").read_text())
_TYPES: Final = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


class Fault(Exception):
    """What a request has otherwise than described."""


def operation_of(method: str, path: str) -> tuple[str, dict[str, Any], dict[str, str]]:
    """The path's template, what is described of it, and the ids in it."""
    for template in sorted(SPEC["paths"], key=lambda template: template.count("{")):
        match = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template), path)
        if match and method.lower() in SPEC["paths"][template]:
            return template, SPEC["paths"][template][method.lower()], match.groupdict()
    raise Fault(f"{method} {path} is not described.")


def checked_query(operation: dict[str, Any], query: str) -> dict[str, Any]:
    """The parameters of a query; those whose names end with ``[]`` are lists."""
    described = {
        parameter["name"]: parameter
        for parameter in operation["parameters"]
        if parameter["in"] == "query"
    }
    values: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in described:
            raise Fault(f"The parameter {name} is not described.")
        value: Any = int(text) if described[name]["schema"].get("type") == "integer" else text
        if name.endswith("[]"):
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    for name, parameter in described.items():
        if name in values:
            check(parameter["schema"], values[name], name)
        elif parameter["required"]:
            raise Fault(f"The parameter {name} is missing.")
    return values


def checked_body(operation: dict[str, Any], raw: bytes) -> dict[str, Any]:
    """The members of a body."""
    if "body" not in operation:
        if raw:
            raise Fault("This takes no body.")
        return {}
    body: dict[str, Any] = json.loads(raw) if raw else {}
    check(operation["body"], body, "body")
    return body


def check(schema: dict[str, Any], value: Any, at: str) -> None:
    """Raise ``Fault`` unless a value is as described."""
    if "$ref" in schema:
        return check(SPEC["components"]["schemas"][schema["$ref"].rpartition("/")[2]], value, at)
    for choices in (schema.get("oneOf"), schema.get("anyOf")):
        if choices is not None:
            _check_choice(choices, value, at)
    kind = schema.get("type")
    if kind is not None:
        is_kind = isinstance(value, _TYPES[kind])
        if not is_kind or (kind in {"integer", "number"} and isinstance(value, bool)):
            raise Fault(f"{at} is no {kind}: {value!r}")
    if "enum" in schema and value not in schema["enum"]:
        raise Fault(f"{at} is none of {schema['enum']}: {value!r}")
    if isinstance(value, dict):
        _check_object(schema, value, at)
    elif isinstance(value, list):
        _check_array(schema, value, at)
    elif isinstance(value, str):
        _check_text(schema, value, at)
    elif value is not None:
        _check_bounds(schema, value, at)
    return None


def _check_choice(choices: list[dict[str, Any]], value: Any, at: str) -> None:
    faults = []
    for choice in choices:
        try:
            return check(choice, value, at)
        except Fault as fault:
            faults.append(str(fault))
    raise Fault(" / ".join(faults))


def _check_object(schema: dict[str, Any], value: dict[str, Any], at: str) -> None:
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", not properties)
    for name in schema.get("required", ()):
        if name not in value:
            raise Fault(f"{at}.{name} is missing.")
    for name, member in value.items():
        if name in properties:
            check(properties[name], member, f"{at}.{name}")
        elif isinstance(others, dict):
            check(others, member, f"{at}.{name}")
        elif not others:
            raise Fault(f"{at}.{name} is not described.")


def _check_array(schema: dict[str, Any], value: list[Any], at: str) -> None:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**6):
        raise Fault(f"{at} has {len(value)} members.")
    for place, member in enumerate(value):
        check(schema.get("items", {}), member, f"{at}[{place}]")


def _check_text(schema: dict[str, Any], value: str, at: str) -> None:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**6):
        raise Fault(f"{at} has {len(value)} letters.")
    try:
        match schema.get("format"):
            case "date-time":
                if datetime.fromisoformat(value).utcoffset() != timedelta():
                    raise Fault(f"{at} is no time in UTC: {value}")
            case "date":
                date.fromisoformat(value)
            case "email" if "@" not in value:
                raise Fault(f"{at} is no e-mail address: {value}")
    except ValueError as error:
        raise Fault(f"{at} is no {schema['format']}: {value}") from error


def _check_bounds(schema: dict[str, Any], value: float, at: str) -> None:
    if value < schema.get("minimum", value) or value > schema.get("maximum", value):
        raise Fault(f"{at} is out of bounds: {value}")
