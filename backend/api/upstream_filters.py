"""Questions about upstreams: who served a model is the seller's business, not the tenant's."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from fastapi import Query

from backend.accounts.principal import Permission, Principal

Upstreams = Annotated[
    tuple[str, ...],
    Query(description="For the operator; an empty one is usage that names no upstream"),
]


def require_operator_for_upstreams(caller: Principal, asked: Collection[object]) -> None:
    """Raise ``Forbidden`` if somebody but the operator asks about upstreams."""
    if asked:
        caller.require(Permission.OPERATE_READ)
