"""Something to pick from a list, by its id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """What is picked, and what it is called."""

    id: str
    name: str
