"""A picture's size from the first bytes of its ``data:`` URL; nothing is decoded or fetched.

PNG (W3C PNG, 11.2.1), GIF (GIF89a, 18), JPEG (ITU-T T.81, B.2.2) and WebP (RFC 9649, 2).
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

_HEAD_CHARACTERS = 700_000
"""Base64 read at most: a JPEG's size may come after half a megabyte of camera data."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # JPEG markers that carry no length


def image_size(url: str) -> tuple[int, int] | None:
    """Return width and height in pixels, or None if the URL's own bytes do not contain them."""
    head = _head(url)
    if head is None:
        return None
    size: tuple[int, int] | None = None
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR" and len(head) >= 24:
        size = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    elif head.startswith((b"GIF87a", b"GIF89a")) and len(head) >= 10:
        size = _little(head[6:8]), _little(head[8:10])
    elif head.startswith(b"\xff\xd8"):
        size = _jpeg(head)
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP" and len(head) >= 30:
        size = _webp(head)
    return size if size is not None and min(size) > 0 else None


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


def _little(two_or_three: bytes) -> int:
    return int.from_bytes(two_or_three, "little")


def _jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            return int.from_bytes(head[at + 7 : at + 9]), int.from_bytes(head[at + 5 : at + 7])
        else:
            at += 2 + int.from_bytes(head[at + 2 : at + 4])
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        return _little(head[26:28]) & 0x3FFF, _little(head[28:30]) & 0x3FFF
    if kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return _little(head[24:27]) + 1, _little(head[27:30]) + 1
    return None
