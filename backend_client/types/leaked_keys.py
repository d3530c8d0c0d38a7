"""Keys that somebody found where anybody can read them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backend_client.types.common import Answer, Wire
from backend_client.types.texts import Title

LeakOutcome = Literal["revoked", "disabled", "secret_ended", "none"]
"""What became of a leaked key: ``secret_ended`` is an earlier secret of a rotated key, which goes
on with its present one; ``none`` if it did not work any more."""


class KeyLeak(Wire):
    """A key's secret that was found, and where."""

    secret: Annotated[str, Field(min_length=1, max_length=200, repr=False)] = Field(
        description="The key's secret that was found."
    )
    url: Annotated[Title, Field(max_length=2000)] | None = Field(
        None, description="Where it was found"
    )


class LeakedKey(Answer):
    """Whose key a secret was, and what became of it. ``tenant_id`` is null of an operator's key."""

    tenant_id: str | None
    key_id: str
    key_name: str = Field(description="What people know the key by.")
    outcome: LeakOutcome = Field(
        description="What became of the key: `revoked`, `disabled`, an earlier secret's end "
        "(`secret_ended`), or `none` if it did not work any more."
    )


class ScannedSecret(Answer):
    """What a scanner is answered of a match, in the form of GitHub's partner program.

    ``true_positive`` is a key of this installation, one that works no more included.
    """

    token_raw: str = Field(repr=False, description="The text that was reported.")
    token_type: str = Field(description="Which kind of secret the scanner took it for.")
    label: Literal["true_positive", "false_positive"] = Field(
        description="Whether it is a key of this installation (`true_positive`, also if it "
        "works no more) or not."
    )
