"""Bodies that routes read by hand, since FastAPI would read decimals as binary floating point."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def _inlined(schema: object, definitions: dict[str, Any]) -> object:
    """Replace references by what they refer to: they would point at the wrong place in OpenAPI."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    left_out = ("$defs", "discriminator")
    return {
        name: _inlined(part, definitions) for name, part in schema.items() if name not in left_out
    }


def body_of(kind: type[BaseModel]) -> dict[str, Any]:
    """Describe such a body in a route's ``openapi_extra``."""
    schema = kind.model_json_schema()
    content = {"application/json": {"schema": _inlined(schema, schema.get("$defs", {}))}}
    return {"requestBody": {"required": True, "content": content}}
