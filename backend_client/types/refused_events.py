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

    id: str = Field(description="What this count is known by.")
    tenant: str | None = Field(None, description="The slug; null where they named no tenant")
    day: date = Field(description="The day, in UTC, on which they were refused.")
    sender: Sender = Field(
        description="Who sent them: the gateway, the operator's services, or the tenant."
    )
    credential: str | None = Field(
        None, description="The id of the key or person that sent them; the operator's for it alone"
    )
    field: str | None = Field(
        None,
        description="Which field could not be used, of the last one; null if it was the whole "
        "event.",
    )
    detail: str = Field(description="Why the last one was refused, in a sentence.")
    event_count: int
    first_at: Instant = Field(description="When the first of the day was refused.")
    last_at: Instant = Field(description="When the last of the day was refused.")
    sample_id: str | None = Field(
        None, description="The `id` of the last one; null if it had none that could be read."
    )
    sample_source: str | None = Field(
        None, description="The `source` of the last one; null if it had none that could be read."
    )
