"""The outbox's way in: notices are recorded in the transaction of what happened.

What is rolled back is never delivered, and what is committed is never lost. Other rooms write here;
workers deliver.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.ids import new_id
from backend.outbox.notices import Notice
from backend.storage.tables import notifications


async def enqueue_notices(connection: AsyncConnection, notices: Sequence[Notice]) -> None:
    """Record notices, in the caller's transaction; repeating one changes nothing."""
    if not notices:
        return
    await connection.execute(
        insert(notifications).on_conflict_do_nothing(
            index_elements=[
                notifications.c.tenant_id,
                notifications.c.kind,
                notifications.c.subject,
            ]
        ),
        [
            {
                "tenant_id": notice.tenant_id,
                "id": new_id("ntf"),
                "kind": notice.kind.value,
                "subject": notice.subject,
                "data": notice.data.model_dump(mode="json"),
                "occurred_at": notice.at,
            }
            for notice in notices
        ],
    )
