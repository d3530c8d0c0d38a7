"""What is counted already of the events that are sent, for the sender's information.

The worker's insert is what makes an event count once.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

import msgspec
import structlog
from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from backend.metering.events import AcceptedEvent, Identity
from backend.storage.database import Database
from backend.storage.outages import is_outage

_log = structlog.get_logger(__name__)

_LOOK_UP_SECONDS = 2.0

Content: TypeAlias = tuple[str, str, str, str, dict[str, Decimal], dict[str, str]]
"""Application, key, model, upstream, quantities and labels."""

_quantities = msgspec.json.Decoder(dict[str, Decimal])
_labels = msgspec.json.Decoder(dict[str, str])

# Ids have no control characters, so one separates them: a few long texts are faster to send than an
# array of many. OFFSET makes PostgreSQL look each id up in the index, also if the plan was made
# while the table was empty and a join of all of it looked cheap.
_STORED = text(
    """
    SELECT sent.tenant_id, sent.source, one.id, stored.*
    FROM unnest(:tenants, :sources, :ids) AS sent (tenant_id, source, ids)
    CROSS JOIN LATERAL unnest(string_to_array(sent.ids, chr(31))) AS one (id)
    CROSS JOIN LATERAL (
      SELECT application_id, key_id, model, upstream, quantities::text AS quantities,
             labels::text AS labels, corrected_at
      FROM events
      WHERE events.tenant_id = sent.tenant_id AND events.sender = :sender
        AND events.source = sent.source AND events.id = one.id
      OFFSET 0
    ) AS stored
    """
).bindparams(*(bindparam(name, type_=ARRAY(Text)) for name in ("tenants", "sources", "ids")))


def content_of(event: AcceptedEvent) -> Content:
    """Return what two events of one identity should have in common."""
    return (
        event.application_id,
        event.key_id,
        event.model,
        event.upstream,
        event.quantities,
        event.labels,
    )


async def stored_contents(
    database: Database, events: Sequence[AcceptedEvent]
) -> dict[Identity, Content | None]:
    """Return what is counted already, by identity; None where it was corrected since.

    All events are one sender's. Nothing is returned while PostgreSQL is away.
    """
    ids: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for event in events:
        ids[event.tenant_id, event.source].append(event.id)
    if not ids:
        return {}
    sender = events[0].sender
    try:
        async with asyncio.timeout(_LOOK_UP_SECONDS), database.autocommit() as connection:
            rows = await connection.execute(
                _STORED,
                {
                    "sender": sender,
                    "tenants": [tenant_id for tenant_id, _ in ids],
                    "sources": [source for _, source in ids],
                    "ids": ["\x1f".join(sent) for sent in ids.values()],
                },
            )
            return {
                (tenant_id, sender, source, event_id): _stored_content(*stored)
                for tenant_id, source, event_id, *stored in rows
            }
    except Exception as error:
        if not is_outage(error):
            raise
        _log.warning("ingest.duplicates_not_looked_up", error=type(error).__name__)
        return {}


def _stored_content(
    application_id: str,
    key_id: str,
    model: str,
    upstream: str,
    quantities: str,
    labels: str,
    corrected_at: datetime | None,
) -> Content | None:
    if corrected_at is not None:
        return None
    used, labelled = _quantities.decode(quantities), _labels.decode(labels)
    return (application_id, key_id, model, upstream, used, labelled)
