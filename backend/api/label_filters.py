"""Filters by label in a query string: ``label=team=search``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Query

from backend.errors import InvalidInput
from backend_client.types.problems import FieldError

LabelFilter = Annotated[
    tuple[str, ...],
    Query(
        max_length=5,
        description="Only of what has this label with this value, as `name=value`. Repeat it for "
        "several, at most five, of which all must hold; if left out, all.",
        examples=[["team=search"]],
    ),
]

LabelGroups = Annotated[
    tuple[str, ...],
    Query(
        max_length=5,
        description="Declared labels to sum by too: a row for each value of each. "
        "Repeat it for several, at most five; none if left out.",
        examples=[["team"]],
    ),
]


def label_values(given: Iterable[str]) -> dict[str, str]:
    """Return the values by label; raise ``InvalidInput`` for what is not ``name=value``."""
    wanted: dict[str, str] = {}
    for place, text in enumerate(given):
        name, sign, value = text.partition("=")
        if not sign or not name or name in wanted or "\0" in text:
            raise InvalidInput(
                f"{text!r} is no label filter.",
                errors=[FieldError(field=f"label.{place}", detail="write name=value, a name once")],
            )
        wanted[name] = value
    return wanted
