"""Stored events, read exactly."""

from __future__ import annotations

from decimal import Decimal

import asyncpg
import msgspec

from backend.metering.events import AcceptedEvent

# As text: how a driver decodes jsonb depends on how the connection was opened.
EVENT = """
SELECT tenant_id, sender, source, id, time, received_at, application_id, key_id, model, upstream,
       voided, quantities::text, labels::text, counted::text
FROM events
"""

_quantities = msgspec.json.Decoder(dict[str, Decimal])
_labels = msgspec.json.Decoder(dict[str, str])
_encoder = msgspec.json.Encoder()


def event_of(row: asyncpg.Record) -> AcceptedEvent:
    """Return a row of ``EVENT`` as an event."""
    return AcceptedEvent(
        tenant_id=row["tenant_id"],
        sender=row["sender"],
        source=row["source"],
        id=row["id"],
        time=row["time"],
        received_at=row["received_at"],
        application_id=row["application_id"],
        key_id=row["key_id"],
        model=row["model"],
        upstream=row["upstream"],
        quantities=_quantities.decode(row["quantities"]),
        labels=_labels.decode(row["labels"]),
        counted=None if row["counted"] is None else _quantities.decode(row["counted"]),
    )


def json_text(value: object) -> str:
    """Return JSON for a ``jsonb`` column, a Decimal as a string so that no digit is lost."""
    return _encoder.encode(value).decode()
