"""Checks what stands in for OpenAI's audio against a part of its published OpenAPI.

``openapi.json`` has the schemas of the audio routes, without their descriptions, of
https://github.com/openai/openai-openapi, version 2.3.0, MIT; the notice stands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from email import message_from_bytes
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

SPEC: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("openapi.json").read_text())


def checked(name: str, document: dict[str, Any]) -> dict[str, Any]:
    """The document, which is as the schema of this name says.

    Raises:
        ValidationError: it is not.
    """
    _validator(name).validate(document)
    return document


def checked_form(name: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The fields of a form with a file, which are as the schema of this name says."""
    head = f"content-type: {headers['content-type']}\r\n\r\n".encode()
    properties = SPEC["components"]["schemas"][name]["properties"]
    fields: dict[str, Any] = {}
    for part in message_from_bytes(head + body).get_payload():
        field = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        if field.endswith("[]"):
            fields.setdefault(field[:-2], []).append(content.decode())
        elif field == "file":
            fields[field] = content.decode("latin-1")
        elif properties.get(field, {}).get("type") == "number":
            fields[field] = float(content)
        else:
            text = content.decode()
            fields[field] = {"true": True, "false": False}.get(text, text)
    return checked(name, fields)


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({**SPEC, "$ref": f"#/components/schemas/{name}"})
