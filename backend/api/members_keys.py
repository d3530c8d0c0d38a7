"""What a request says of the API keys that a member made who is to be removed."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query

from backend.accounts.members.members import KeysLeft
from backend.api.example_values import TAIL
from backend.errors import InvalidInput

KeysOfMember = Annotated[
    Literal["revoke", "hand_over"] | None,
    Query(
        alias="keys",
        description="What becomes of the API keys that the member made and that still work: "
        "`revoke` them, or `hand_over` to another member. Needed if there are any.",
    ),
]
KeysFor = Annotated[
    str | None,
    Query(
        max_length=200,
        alias="hand_over_to",
        description="The id (`usr_…`) of the member who gets the keys. "
        "Needed with `keys=hand_over`.",
        examples=[f"usr_{TAIL}"],
    ),
]


def keys_left(keys: Literal["revoke", "hand_over"] | None, heir: str | None) -> KeysLeft | None:
    """Return what becomes of the keys, None if it is not said; raise ``InvalidInput``."""
    if keys == "hand_over" and heir is None:
        raise InvalidInput.of_field("hand_over_to", "must say who gets the keys")
    return None if keys is None else KeysLeft(keys, heir)
