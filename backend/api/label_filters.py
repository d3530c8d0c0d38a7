"""Filters by label in a query string: ``label=team=search``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Query

from backend.errors import InvalidInput
from backend_client.types.problems import FieldError

LabelFilter = Annotated[
    tuple[str, ...], Query(max_length=5, description="name=value; all that are given must hold")
]


def label_values(given: Iterable[str]) -> dict[str, str]:
    """Return the values by label; raise ``InvalidInput`` for what is not ``name=value``."""
    found: dict[str, str] = {}
    for place, one in enumerate(given):
        name, sign, value = one.partition("=")
        if not sign or not name or name in found or "\0" in one:
            raise InvalidInput(
                f"{one!r} is no label filter.",
                errors=[FieldError(field=f"label.{place}", detail="write name=value, a name once")],
            )
        found[name] = value
    return found
