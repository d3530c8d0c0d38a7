"""A picture's size from the first bytes of its ``data:`` URL; nothing is decoded or fetched."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from edge.pictures import picture_head

_HEAD_CHARACTERS = 700_000
"""Base64 read at most: a JPEG's size may come after half a megabyte of camera data."""


def image_size(url: str) -> tuple[int, int] | None:
    """Return width and height in pixels, or None if the URL's own bytes do not contain them."""
    content = _head(url)
    head = None if content is None else picture_head(content)
    return None if head is None else (head.width, head.height)


def _head(url: str) -> bytes | None:
    if url[:5].lower() != "data:":
        return None
    comma = url.find(",", 0, 1_000)
    if comma < 0:
        return None
    data = url[comma + 1 : comma + 1 + _HEAD_CHARACTERS]
    if not url[:comma].lower().endswith(";base64"):
        return unquote_to_bytes(data)
    try:
        return base64.b64decode(data[: len(data) - len(data) % 4])
    except (binascii.Error, ValueError):
        return None
