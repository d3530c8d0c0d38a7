"""JSON as providers really send it: NaN, and halves of characters cut by UTF-16 units.

The standard library's parser and OpenAI's SDKs read both; the answer was made and is billed, so it
is read here too, and written so that every caller can read it.
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson


def loads(content: bytes) -> Any:
    """Return the value of a JSON text. Raises ``ValueError``."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(content.decode("utf-8", "replace"))
        except RecursionError:
            raise error from None


def dumps(value: object) -> bytes:
    """Return the JSON text of what ``loads`` returned; NaN and infinity are null.

    Half a character becomes its escape, from which the caller's parser can join it to the other.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False).encode()


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_finite(member) for member in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
