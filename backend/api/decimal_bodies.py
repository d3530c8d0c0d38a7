"""Bodies that routes read by hand, since FastAPI would read decimals as binary floating point."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def _inlined(schema: object, definitions: dict[str, Any]) -> object:
    """Replace references by their targets: in OpenAPI they would point at the wrong place."""
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
    """Return the description of such a body for a route's ``openapi_extra``."""
    schema = kind.model_json_schema()
    content = {"application/json": {"schema": _inlined(schema, schema.get("$defs", {}))}}
    return {"requestBody": {"required": True, "content": content}}
