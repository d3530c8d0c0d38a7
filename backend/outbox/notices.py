"""The outbox: what is to be told, written in the transaction that makes it so.

Nothing is told that was rolled back, and nothing is lost that was committed. Other rooms write
here; workers deliver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.ids import new_id
from backend.storage.tables import notifications
from backend_client.types.notifications import (
    CreditNoteIssued,
    InvoiceFinalised,
    InvoicePaid,
    InvoiceReminder,
    NotificationKind,
    WalletLowBalance,
    WalletTopUpRequested,
)

NoticeData: TypeAlias = (
    InvoiceFinalised
    | InvoiceReminder
    | InvoicePaid
    | CreditNoteIssued
    | WalletLowBalance
    | WalletTopUpRequested
)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened to a tenant. ``subject`` names what, once within its kind.

    ``data`` is what ``NotificationEvent`` says that the kind carries.
    """

    kind: NotificationKind
    tenant_id: str
    subject: str
    data: NoticeData
    at: datetime


async def tell(connection: AsyncConnection, notices: Sequence[Notice]) -> None:
    """Have these told, in the caller's transaction; what is told already is not told again."""
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
                "tenant_id": one.tenant_id,
                "id": new_id("ntf"),
                "kind": one.kind.value,
                "subject": one.subject,
                "data": one.data.model_dump(mode="json"),
                "occurred_at": one.at,
            }
            for one in notices
        ],
    )
