"""A place in a file of events, where reading stopped or goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Place:
    """Before line ``line``, from 1, which begins at byte ``offset`` of the unpacked text.

    In Parquet, which has no lines, ``line`` is the number of a row. ``offset`` is None if it is
    unknown, or there is none.
    """

    line: int
    offset: int | None = None

    def __str__(self) -> str:
        at = "" if self.offset is None else f" (byte {self.offset:,})"
        return f"line {self.line:,}{at}"


BEGINNING: Final = Place(1, 0)
