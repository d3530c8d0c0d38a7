"""Checks requests against the shapes of Amberflo's published client and reference.

``shapes.json`` says of each from where it is taken. Amberflo publishes no OpenAPI document.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

_SHAPES: dict[str, Any] = json.loads(Path(__file__).with_name("shapes.json").read_text())
OPERATIONS: dict[str, Any] = _SHAPES["operations"]


class Fault(Exception):
    """What Amberflo would answer with an error; ``status`` is the answer's."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def check(method: str, path: str, query: dict[str, str], body: Any) -> str:
    """Return the operation of a request; raise ``Fault`` if there is none, or not of this form."""
    operation = f"{method} {path}"
    if operation not in OPERATIONS:
        raise Fault(f"No route for {operation}", 405)
    of = OPERATIONS[operation]
    _check(of.get("query", {"additionalProperties": False}), query)
    if "body" in of:
        _check(of["body"], body)
    return operation


def _check(schema: dict[str, Any], value: Any) -> None:
    validator = Draft202012Validator({**schema, "$defs": _SHAPES["$defs"]})
    for error in validator.iter_errors(value):
        raise Fault(f"{error.json_path}: {error.message}")
