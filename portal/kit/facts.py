"""Facts: what is known of something, a line each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FactRow:
    """Something that is known, and what it is called."""

    name: str
    value: str
