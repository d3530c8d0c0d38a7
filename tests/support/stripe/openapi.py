"""Checks requests against a part of Stripe's published OpenAPI, as Stripe does.

``openapi.json`` is taken from https://github.com/stripe/openapi, version 2026-05-27.dahlia, without
its descriptions and answers; MIT, the notice stands beside it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

SPEC: dict[str, Any] = json.loads(Path(__file__).with_name("openapi.json").read_text())
FORM = "application/x-www-form-urlencoded"


class Fault(Exception):
    """What Stripe would refuse, with the parameter at fault."""

    def __init__(self, message: str, param: str = "") -> None:
        super().__init__(message)
        self.param = param


def operation_of(method: str, path: str) -> tuple[str, dict[str, Any], dict[str, str]]:
    """The path's template, what is described of it, and the ids in it."""
    templates = sorted(SPEC["paths"], key=lambda template: template.count("{"))
    for template in templates:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
        match = re.fullmatch(pattern, path)
        if match and method.lower() in SPEC["paths"][template]:
            return template, SPEC["paths"][template][method.lower()], match.groupdict()
    raise Fault(f"Unrecognized request URL ({method}: {path}).")


def checked_query(operation: dict[str, Any], query: str) -> dict[str, Any]:
    """The parameters of a query, as the description types them."""
    described = {
        parameter["name"]: parameter["schema"]
        for parameter in operation["parameters"]
        if parameter["in"] == "query"
    }
    required = [
        parameter["name"]
        for parameter in operation["parameters"]
        if parameter["in"] == "query" and parameter["required"]
    ]
    schema = {"type": "object", "properties": described, "required": required}
    values: dict[str, Any] = checked(schema, nested(query), "")
    return values


def checked_form(operation: dict[str, Any], body: str) -> dict[str, Any]:
    """The parameters of a form, as the description types them."""
    values: dict[str, Any] = checked(operation["body"].get(FORM, {}), nested(body), "")
    return values


def checked_json(operation: dict[str, Any], body: str) -> dict[str, Any]:
    """The members of a JSON body; its values are typed already."""
    values: dict[str, Any] = checked(
        operation["body"].get("application/json", {}), json.loads(body or "{}"), "", typed=True
    )
    return values


def nested(encoded: str) -> dict[str, Any]:
    """``a[b][0]=c`` as ``{"a": {"b": {"0": "c"}}}``."""
    values: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True, strict_parsing=bool(encoded)):
        first, *rest = re.findall(r"[^\[\]]+", name)
        at = values
        for part, following in zip([first, *rest], [*rest, None], strict=True):
            if following is None:
                if part in at:
                    raise Fault(f"{name} is given twice.", name)
                at[part] = value
            else:
                at = at.setdefault(part, {})
    return values


def checked(schema: dict[str, Any], value: Any, at: str, *, typed: bool = False) -> Any:
    """The value as the schema types it; raises ``Fault``."""
    if "anyOf" in schema:
        faults = []
        for choice in schema["anyOf"]:
            try:
                return checked(choice, value, at, typed=typed)
            except Fault as fault:
                faults.append(fault)
        raise faults[0]
    kind = schema.get("type")
    if kind == "object" or (kind is None and isinstance(value, dict)):
        return _checked_object(schema, value, at, typed=typed)
    if kind == "array":
        members = value
        if not typed:
            if not isinstance(value, dict) or sorted(value, key=int) != [
                str(place) for place in range(len(value))
            ]:
                raise Fault(f"Invalid array: {at}.", at)
            members = [value[str(place)] for place in range(len(value))]
        return [
            checked(schema["items"], member, f"{at}[{place}]", typed=typed)
            for place, member in enumerate(members)
        ]
    return _checked_scalar(schema, value, at, typed=typed)


def _checked_object(schema: dict[str, Any], value: Any, at: str, *, typed: bool) -> Any:
    if not isinstance(value, dict):
        raise Fault(f"Invalid object: {at}.", at)
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            where = f"{at}[{name}]" if at else name
            raise Fault(f"Missing required param: {where}.", where)
    values = {}
    for name, member in value.items():
        where = f"{at}[{name}]" if at else name
        if name in properties:
            values[name] = checked(properties[name], member, where, typed=typed)
        elif isinstance(schema.get("additionalProperties"), dict):
            values[name] = checked(schema["additionalProperties"], member, where, typed=typed)
        else:
            raise Fault(f"Received unknown parameter: {where}", where)
    return values


def _checked_scalar(schema: dict[str, Any], value: Any, at: str, *, typed: bool) -> Any:
    if not isinstance(value, str) and not (typed and not isinstance(value, dict | list)):
        raise Fault(f"Invalid value: {at}.", at)
    if value == "" and "" not in schema.get("enum", ()) and not typed:
        raise Fault(f"You passed an empty string for '{at}'.", at)
    if "enum" in schema and value not in schema["enum"]:
        raise Fault(f"Invalid {at}: must be one of {schema['enum']}", at)
    if len(str(value)) > schema.get("maxLength", 10**6):
        raise Fault(f"Invalid string: {at} must be at most {schema['maxLength']} characters", at)
    match schema.get("type"):
        case "integer" if not typed:
            if not re.fullmatch(r"-?\d+", value):
                raise Fault(f"Invalid integer: {value}", at)
            return int(value)
        case "number" if not typed:
            if not re.fullmatch(r"-?\d+(\.\d+)?", value):
                raise Fault(f"Invalid number: {value}", at)
            return float(value)
        case "boolean" if not typed:
            if value not in {"true", "false"}:
                raise Fault(f"Invalid boolean: {value}", at)
            return value == "true"
    return value
