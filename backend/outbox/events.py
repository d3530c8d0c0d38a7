"""Notifications' rows as events."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from backend.storage.tables import notifications
from backend_client.types.notifications import NotificationEvent, NotificationKind

KNOWN: Final = notifications.c.kind.in_([kind.value for kind in NotificationKind])
"""Excludes kinds that only a newer version has, while both versions run."""

_EVENT: TypeAdapter[NotificationEvent] = TypeAdapter(NotificationEvent)


def event_from(row: RowMapping) -> NotificationEvent:
    """Return a row with the columns of ``notifications`` as an event.

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
