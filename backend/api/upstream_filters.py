"""Questions about upstreams: who served a model is the seller's business, not the tenant's."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from backend.accounts.principal import Permission, Principal
from backend.api.parameters import several

Upstreams = Annotated[
    tuple[str, ...],
    several(
        "Only of these model providers (upstreams), by name, for the operator; "
        "an empty one is of usage that names none.",
        "main",
    ),
]


def require_operator_for_upstreams(caller: Principal, asked: Collection[object]) -> None:
    """Raise ``Forbidden`` if somebody but the operator asks about upstreams."""
    if asked:
        caller.require(Permission.OPERATE_READ)
