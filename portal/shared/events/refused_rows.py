"""Refused events as lists show them. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backend_client.types.refused_events import RefusedEvents
from portal.kit.formatting import count, second
from portal.shared.events.rows import SENDERS

SHOWN = 50
"""How many are in a list: reasons of the newest days."""


@dataclass(frozen=True)
class RefusedRow:
    """Events of a day that were refused for one reason; the last of them as a sample."""

    id: str
    customer: str
    last: str
    field: str
    reason: str
    events: str
    sender: str
    credential: str
    sample: str
    source: str


def refused_row(refused: RefusedEvents, names: Mapping[str, str], time_zone: str) -> RefusedRow:
    """Refused events as the list shows them; ``names`` are of keys."""
    credential = refused.credential or ""
    return RefusedRow(
        id=refused.id,
        customer=refused.tenant or "Named no customer",
        last=second(refused.last_at, time_zone),
        field=refused.field or "",
        reason=refused.detail,
        events=count(refused.event_count),
        sender=SENDERS[refused.sender],
        credential=names.get(credential, credential),
        sample=refused.sample_id or "",
        source=refused.sample_source or "",
    )
