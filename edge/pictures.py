"""What a picture is by its first bytes, whatever its name says; nothing is decoded.

PNG (W3C PNG, 11.2.1), GIF (GIF89a, 18), JPEG (ITU-T T.81, B.2.2) and WebP (RFC 9649, 2).
"""

from __future__ import annotations

from dataclasses import dataclass

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # JPEG markers that carry no length


@dataclass(frozen=True, slots=True)
class PictureHead:
    """A picture's kind, and its size in pixels."""

    media_type: str
    width: int
    height: int


def picture_head(content: bytes) -> PictureHead | None:
    """Read a picture's head; None for what is none, or does not say its size."""
    size: tuple[int, int] | None = None
    kind = ""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        kind = "image/png"
        if content[12:16] == b"IHDR" and len(content) >= 24:
            size = int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
    elif content.startswith((b"GIF87a", b"GIF89a")):
        kind = "image/gif"
        if len(content) >= 10:
            size = _little(content[6:8]), _little(content[8:10])
    elif content.startswith(b"\xff\xd8"):
        kind, size = "image/jpeg", _jpeg(content)
    elif content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        kind, size = "image/webp", _webp(content)
    return PictureHead(kind, *size) if size is not None and min(size) > 0 else None


def _little(two_or_three: bytes) -> int:
    return int.from_bytes(two_or_three, "little")


def _jpeg(content: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(content):
        if content[at] != 0xFF:
            return None
        marker = content[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            return (
                int.from_bytes(content[at + 7 : at + 9]),
                int.from_bytes(content[at + 5 : at + 7]),
            )
        else:
            at += 2 + int.from_bytes(content[at + 2 : at + 4])
    return None


def _webp(content: bytes) -> tuple[int, int] | None:
    if len(content) < 30:
        return None
    kind = content[12:16]
    if kind == b"VP8 " and content[23:26] == b"\x9d\x01\x2a":
        return _little(content[26:28]) & 0x3FFF, _little(content[28:30]) & 0x3FFF
    if kind == b"VP8L" and content[20] == 0x2F:
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return _little(content[24:27]) + 1, _little(content[27:30]) + 1
    return None
