"""What a usage event may hold besides its own members: the rest of CloudEvents 1.0.

After the `specification <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>`_ and
its JSON format: extension attributes are taken and not kept, the data may be in base64.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic_core import PydanticCustomError

_ATTRIBUTE: Final = re.compile(r"[a-z0-9]+")
_JSON_KIND: Final = re.compile(r"[^/;,\s]+/(?:[^/;,\s]+\+)?json", re.IGNORECASE)
_OF_DATA: Final = frozenset(
    {"application", "model", "key", "upstream", "quantities", "labels", "counted"}
)
"""Never taken for extensions: who writes them beside the data means them."""
_BASE64: Final = "data_base64"


def own_members(document: Mapping[str, Any], own: frozenset[str]) -> dict[str, Any]:
    """Return a CloudEvent without its extension attributes, its data as JSON.

    Whatever else is not in ``own`` stays, to be refused by its name: an attribute's name is of
    lower-case letters and digits, its value a text, a whole number, true or false.
    """
    members = {
        name: value
        for name, value in document.items()
        if name in own or not _is_extension(name, value)
    }
    if _BASE64 in members and "data" not in members:
        members["data"] = _decoded(members.pop(_BASE64))
    return members


def json_kind(media_type: str) -> str:
    """Return ``media_type`` if its content is JSON, whatever parameters follow it."""
    if _JSON_KIND.fullmatch(media_type.partition(";")[0].strip()):
        return media_type
    raise PydanticCustomError("content_type", "is not a kind of JSON: usage is sent as one")


def _is_extension(name: object, value: object) -> bool:
    return (
        isinstance(name, str)
        and _ATTRIBUTE.fullmatch(name) is not None
        and name not in _OF_DATA
        and (value is None or isinstance(value, str | int))
    )


def _decoded(packed: object) -> Any:
    try:
        if not isinstance(packed, str):
            raise ValueError
        return json.loads(base64.b64decode(packed, validate=True), parse_float=Decimal)
    except (binascii.Error, ValueError, RecursionError):
        raise PydanticCustomError("base64", "data_base64 is not JSON in base64") from None
