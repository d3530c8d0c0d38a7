"""Pages of a list: an opaque cursor that says where to continue."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TypeVar

from backend.kit.errors import InvalidCursor
from backend_client.types.common import Page

Item = TypeVar("Item")


class Cursor:
    """Base64 of the last item's sort key, so that no client depends on its content."""

    @staticmethod
    def write(after: str) -> str:
        """Return a cursor."""
        return base64.urlsafe_b64encode(after.encode()).decode().rstrip("=")

    @staticmethod
    def read(cursor: str) -> str:
        """Return the key that it continues after; raise ``InvalidInput`` if it is not ours."""
        padded = cursor + "=" * (-len(cursor) % 4)
        try:
            after = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        except ValueError:  # not base64, or not of text
            after = ""
        if not after.isprintable() or not after:
            raise InvalidCursor()
        return after

    @staticmethod
    def read_number(cursor: str) -> int:
        """Return the number that the cursor continues after, for lists sorted by a number."""
        text = Cursor.read(cursor)
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise InvalidCursor()
        return int(text)


def page_of(items: list[Item], limit: int, key: Callable[[Item], str]) -> Page[Item]:
    """Return a page of up to ``limit`` items; ``items`` has up to ``limit + 1``."""
    more = len(items) > limit
    kept = items[:limit]
    return Page(items=kept, next_cursor=Cursor.write(key(kept[-1])) if more else None)
