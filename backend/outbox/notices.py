"""A notice: something that happened to a tenant, before it is recorded. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from backend_client.types.notifications import (
    BudgetReached,
    CreditNoteIssued,
    DeliveryTest,
    DepartmentBudgetReached,
    InvitationSent,
    InvoiceFinalized,
    InvoicePaid,
    InvoicePaymentReturned,
    InvoiceReminder,
    KeyBudgetReached,
    KeyCreated,
    KeyLeaked,
    NotificationKind,
    QuotaReached,
    WalletLowBalance,
    WalletTopUpRequested,
    WebhookDisabled,
)

LATE: Final = timedelta(hours=1)
"""For how long after its end a period's limits are looked at: what passes them in its last minute
is counted, and looked at, only then."""

NoticeData: TypeAlias = (
    InvoiceFinalized
    | InvoiceReminder
    | InvoicePaid
    | InvoicePaymentReturned
    | CreditNoteIssued
    | WalletLowBalance
    | WalletTopUpRequested
    | DepartmentBudgetReached
    | QuotaReached
    | KeyBudgetReached
    | KeyCreated
    | WebhookDisabled
    | BudgetReached
    | InvitationSent
    | KeyLeaked
    | DeliveryTest
)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened to a tenant. ``subject`` is unique within the kind.

    ``data`` is what ``NotificationEvent`` declares for the kind.
    """

    kind: NotificationKind
    tenant_id: str
    subject: str
    data: NoticeData
    at: datetime
