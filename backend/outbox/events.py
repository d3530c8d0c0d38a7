"""A notification's row as the event that it tells of."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from backend.storage.tables import notifications
from backend_client.types.notifications import NotificationEvent, NotificationKind

KNOWN: Final = notifications.c.kind.in_([kind.value for kind in NotificationKind])
"""Leaves out what only a newer version knows how to tell, while both run."""

_EVENT: TypeAdapter[NotificationEvent] = TypeAdapter(NotificationEvent)


def event_from(row: RowMapping) -> NotificationEvent:
    """Make the event of a row with the columns of ``notifications``.

    Raises ``ValueError`` for a kind that this version does not know.
    """
    return _EVENT.validate_python(
        {
            "id": row["id"],
            "type": row["kind"],
            "timestamp": row["occurred_at"],
            "tenant_id": row["tenant_id"],
            "data": row["data"],
        }
    )
