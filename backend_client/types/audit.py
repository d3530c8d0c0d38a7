"""The audit: who did what, from where."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict

from pydantic import Field

from backend_client.types.common import Answer, Instant

ActorKind = Literal["user", "key", "operator", "anonymous"]
"""As what somebody acts. ``anonymous`` is who could not sign in."""


class AuditFilter(TypedDict, total=False):
    """Which audit entries to list: all that are given must hold.

    ``action`` is a whole one, such as ``key.create``, or its noun alone, ``key``. ``start`` is
    inclusive, ``end`` exclusive.
    """

    actor: str | None
    actor_kind: ActorKind | None
    action: str | None
    target: str | None
    start: datetime | None
    end: datetime | None


class AuditEntry(Answer):
    """Who did what, from where. Its words are stable; ``detail`` has no secret.

    ``actor`` is a person's or a key's id, and ``actor_name`` the name of either. A tenant does not
    see from where the operator acted.
    """

    id: str
    at: Instant = Field(description="When it was done.")
    actor: str = Field(
        description="Who did it, by id: a person (`usr_…`), a key (`key_…`) or an operator "
        "key; `anonymous` where sign-in was refused."
    )
    actor_name: str | None = Field(
        description="The name of the person or key; null if there is none any more."
    )
    actor_kind: ActorKind = Field(
        "user",
        description="As what it was done: a person (`user`), an API `key`, the `operator`, or "
        "`anonymous` if sign-in failed.",
    )
    action: str = Field(
        description="What was done, as a noun and a verb such as `key.create`. The words are "
        "stable."
    )
    target: str = Field(description="What it was done to, by its id.")
    detail: dict[str, object] = Field(
        description="What else is to be said of the act, such as fields and what they became. "
        "Which members there are depends on `action`; no secret is among them."
    )
    address: str | None = Field(None, description="The network address that the request came from")
    request_id: str | None = Field(None, description="The request's id, as in its answer's headers")
    tenant_id: str | None = Field(
        None, description="The tenant that it concerns, for the operator; null for none"
    )
