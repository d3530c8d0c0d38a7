"""Events that were refused, counted by day and reason."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from backend_client.types.common import Answer, Instant
from backend_client.types.events import Sender


class RefusedEvents(Answer):
    """Events of a tenant that were refused on a day (UTC) for one reason.

    ``field`` and ``detail`` are those of the last one, as are ``sample_id`` and ``sample_source``.
    Nothing else of an event is kept. Counts are of what was sent: an event that was sent again and
    refused again counts again.
    """

    id: str
    tenant: str | None = Field(None, description="The slug; null where they named no tenant")
    day: date
    sender: Sender
    credential: str | None = Field(
        None, description="The id of the key or person that sent them; the operator's for it alone"
    )
    field: str | None = None
    detail: str
    event_count: int
    first_at: Instant
    last_at: Instant
    sample_id: str | None = None
    sample_source: str | None = None
