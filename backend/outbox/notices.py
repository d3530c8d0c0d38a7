"""What a notice is: something that happened to a tenant, to be told to people and systems. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from backend_client.types.notifications import (
    CreditNoteIssued,
    InvoiceFinalized,
    InvoicePaid,
    InvoiceReminder,
    NotificationKind,
    WalletLowBalance,
    WalletTopUpRequested,
)

NoticeData: TypeAlias = (
    InvoiceFinalized
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
