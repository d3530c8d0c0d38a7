"""The corrections on record."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.pages import Cursor, page_of
from backend.storage.tables import corrections, users
from backend_client.types.common import Page
from backend_client.types.corrections import Correction, EventReference
from backend_client.types.events import UsageData


async def list_corrections(
    connection: AsyncConnection,
    tenant_id: str,
    *,
    source: str | None,
    event: str | None,
    cursor: str | None,
    limit: int,
    with_upstreams: bool = False,
) -> Page[Correction]:
    """Return a page of a tenant's corrections, newest first; only one event's if it is named.

    Who served an event is the seller's business: only ``with_upstreams`` is it in the answer.
    """
    query = (
        select(corrections, users.c.name.label("actor_name"))
        .outerjoin(users, users.c.id == corrections.c.actor)
        .where(corrections.c.tenant_id == tenant_id)
        .order_by(corrections.c.sequence.desc())
        .limit(limit + 1)
    )
    if source is not None:
        query = query.where(corrections.c.event_source == source)
    if event is not None:
        query = query.where(corrections.c.event_id == event)
    if cursor is not None:
        query = query.where(corrections.c.sequence < Cursor.read_number(cursor))
    rows = (await connection.execute(query)).mappings().all()
    page = page_of(list(rows), limit, lambda row: str(row["sequence"]))
    return Page(
        items=[
            Correction(
                id=row["id"],
                event=EventReference(
                    sender=row["event_sender"], source=row["event_source"], id=row["event_id"]
                ),
                action=row["action"],
                reason=row["reason"],
                actor=row["actor"],
                actor_name=row["actor_name"],
                received_at=row["received_at"],
                applied_at=row["applied_at"],
                before=_data(row["before"], with_upstreams),
                after=_data(row["after"], with_upstreams),
            )
            for row in page.items
        ],
        next_cursor=page.next_cursor,
    )


def _data(stored: Any, with_upstreams: bool) -> UsageData | None:
    if stored is None:
        return None
    return UsageData(
        application=stored["application_id"],
        model=stored["model"],
        key=stored["key_id"] or None,
        upstream=(stored.get("upstream") or None) if with_upstreams else None,
        quantities=stored["quantities"],
        labels=stored["labels"],
        counted=stored["counted"],
    )
