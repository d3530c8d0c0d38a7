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
        return _written(value)


def _written(value: object) -> bytes:
    """Return the text of a value of any depth: ``loads`` reads deeper ones than orjson writes."""
    text: list[bytes] = []
    waiting = [value]  # the next one last; what is bytes is text already
    while waiting:
        part = waiting.pop()
        if isinstance(part, bytes):
            text.append(part)
        elif isinstance(part, dict):
            text.append(b"{")
            waiting.append(b"}")
            for place, name in reversed([*enumerate(part)]):
                waiting += (part[name], (b"," if place else b"") + _scalar(name) + b":")
        elif isinstance(part, list):
            text.append(b"[")
            waiting.append(b"]")
            for place, member in reversed([*enumerate(part)]):
                waiting += (member, b"," if place else b"")
        else:
            text.append(_scalar(part))
    return b"".join(text)


def _scalar(value: object) -> bytes:
    if isinstance(value, float) and not math.isfinite(value):
        return b"null"
    return json.dumps(value).encode()
