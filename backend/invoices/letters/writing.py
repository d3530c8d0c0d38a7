"""Writes a customer's letter: finds its addressees, and attaches the invoice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.customers.profiles import profile_of
from backend.invoices.letters.wording import as_html, as_text, wording
from backend.invoices.paper.as_pdf import print_invoice
from backend.invoices.queries import as_printed, find_invoice
from backend.kit.addresses import mailbox
from backend.kit.side_process import SideProcess
from backend.outbox.channels.channel import Attachment, Letter, NotDelivered, Pointless
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import invitations, members, tenants, users
from backend_client.types.accounts import Role
from backend_client.types.invoices import Invoice, InvoiceState
from backend_client.types.notifications import (
    InvitationCreatedEvent,
    InvoiceFinalizedEvent,
    InvoicePaidEvent,
    InvoiceReminderEvent,
    InvoiceSuspendedEvent,
    KeyCreatedEvent,
    KeyLeakedEvent,
    KeyRevokedEvent,
    KeyRotatedEvent,
    NotificationEvent,
    NotificationTestEvent,
    WalletTopUpRequestedEvent,
    WebhookDisabledEvent,
)

_WITH_INVOICE = (InvoiceFinalizedEvent, InvoiceReminderEvent, InvoiceSuspendedEvent)
_WITHOUT_LETTER = (
    WalletTopUpRequestedEvent,
    NotificationTestEvent,
    KeyCreatedEvent,
    KeyRotatedEvent,
    KeyRevokedEvent,
)
_MOST_RECIPIENTS = 20


class CustomerLetters:
    """Letters to tenants, each from that tenant's own data. PDFs are drawn in a side process."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._process = SideProcess()

    def wants(self, event: NotificationEvent) -> bool:
        """Return whether the customer gets a letter about this.

        Not about a top-up that the operator is to charge for, a test, or what a person has done to
        a key; nor that nothing is left to pay where the invoice or the credit note says so.
        """
        if isinstance(event, InvoicePaidEvent):
            return event.data.paid_at != event.data.issued_at and event.data.paid.amount > 0
        return not isinstance(event, _WITHOUT_LETTER)

    async def write(self, event: NotificationEvent) -> Letter:
        """Write the letter of an event.

        Raises ``NotDelivered`` if nobody has an address, ``Pointless`` for an invoice that has
        become void, for an invitation that is closed, or for a reminder of an invoice that is not
        overdue any more or has come to a later step.
        """
        invoice = None
        async with self._database.begin() as connection:
            if isinstance(event, _WITH_INVOICE):
                invoice = await self._invoice(connection, event.tenant_id, event.data.invoice_id)
            if isinstance(event, InvitationCreatedEvent):
                await _check_invitation(connection, event)
                name, to = "", _usable([event.data.email])
            elif isinstance(event, KeyLeakedEvent | WebhookDisabledEvent):
                name, to = "", await _addresses(connection, event.tenant_id, Role.OWNER)
            else:
                name, to = await addressees(connection, event.tenant_id, invoice)
        if invoice is not None:
            _check_point(event, invoice, self._settings.dunning)
        if not to:
            raise NotDelivered(
                "Nobody has an address: the billing details name none, and no member with the "
                "role billing or owner has one.",
                final=True,
            )
        seller = self._settings.seller_name
        words = wording(event, invoice, seller)
        greeting = f"Hello {name}," if name else "Hello,"
        return Letter(
            to=to,
            subject=words.subject,
            text=as_text(words, greeting, seller),
            html=as_html(words, greeting, seller),
            attachments=() if invoice is None else (await self._printed(invoice),),
        )

    async def close(self) -> None:
        """End the process that draws."""
        self._process.close()

    async def _invoice(
        self, connection: AsyncConnection, tenant_id: str, invoice_id: str
    ) -> Invoice:
        now = datetime.now(UTC)
        return await find_invoice(connection, self._settings, tenant_id, invoice_id, now)

    async def _printed(self, invoice: Invoice) -> Attachment:
        document = as_printed(invoice).model_dump_json()
        drawn = await self._process.compute(print_invoice, document)
        return Attachment(f"{invoice.number}.pdf", "application/pdf", drawn)


async def addressees(
    connection: AsyncConnection, tenant_id: str, invoice: Invoice | None
) -> tuple[str, tuple[str, ...]]:
    """Return a tenant's name, and the addresses of those who see to its bills.

    That is the address in its billing details; without one its members with the role billing, or
    else its owners. For a tenant that was removed, what its invoice says.
    """
    details = (await profile_of(connection, tenant_id)).details
    tenant_name = await connection.scalar(select(tenants.c.name).where(tenants.c.id == tenant_id))
    name = details.name or tenant_name
    if name is None and invoice is not None:
        return invoice.customer.name, _usable([invoice.customer.email])
    if named := _usable([details.email]):
        return name or "", named
    for role in (Role.BILLING, Role.OWNER):
        if emails := await _addresses(connection, tenant_id, role):
            return name or "", emails
    return name or "", ()


async def _addresses(connection: AsyncConnection, tenant_id: str, role: Role) -> tuple[str, ...]:
    """Return the addresses of a tenant's members with a role."""
    query = (
        select(users.c.email)
        .join(members, members.c.user_id == users.c.id)
        .where(members.c.tenant_id == tenant_id, members.c.role == role.value)
        .order_by(members.c.user_id)
        .limit(_MOST_RECIPIENTS)
    )
    return _usable(await connection.scalars(query))


async def _check_invitation(connection: AsyncConnection, event: InvitationCreatedEvent) -> None:
    query = select(invitations.c.id).where(
        invitations.c.tenant_id == event.tenant_id,
        invitations.c.id == event.data.invitation_id,
        invitations.c.accepted_at.is_(None),
        invitations.c.revoked_at.is_(None),
        invitations.c.expires_at > datetime.now(UTC),
    )
    if await connection.scalar(query) is None:
        raise Pointless("The invitation is no longer open.")


def _usable(emails: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(address for email in emails if email and (address := mailbox(email.strip())))


def _check_point(event: NotificationEvent, invoice: Invoice, dunning: Mapping[str, int]) -> None:
    if invoice.state is InvoiceState.VOID:
        raise Pointless("The invoice has become void.")
    if not isinstance(event, InvoiceReminderEvent | InvoiceSuspendedEvent):
        return
    if invoice.state is not InvoiceState.FINALIZED:
        raise Pointless(f"The invoice is {invoice.state.value} by now.")
    # Steps may be reached together, after workers were away, or while the mail server was
    steps = {reminder.step for reminder in invoice.reminders} & dunning.keys()
    last = max(steps, key=lambda step: (dunning[step], step), default=event.data.step)
    if event.data.step in steps and event.data.step != last:
        raise Pointless(f"The invoice has come to the step {last!r} by now.")
