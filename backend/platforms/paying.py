"""Where a customer pays: the platform's own pages, for an invoice, a top-up or a saved method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from backend.invoices.queries import find_invoice
from backend.outbox.channels.channel import NotDelivered
from backend.platforms.adapter import Adapter, Attempt, Refused
from backend.platforms.configured import adapter_of
from backend.platforms.connections import connection_in_force, list_connections
from backend.platforms.documents import Customer, TopUpDocument
from backend.platforms.errors import AmountNotPayable, NothingToPay, PlatformAway
from backend.platforms.remote_ids import StoredMemory, remote_object
from backend.platforms.sending.documents_from_rows import customer_of_tenant
from backend.settings import Settings
from backend.storage.database import Database
from backend.wallets.top_ups import find_top_up
from backend_client.types.invoices import InvoiceState
from backend_client.types.platforms import PaymentLink, PaymentMethod, PaymentOptions

Page = Callable[[Adapter, Customer, Attempt], Awaitable[str]]


async def payment_options(
    database: Database, adapters: Mapping[str, Adapter], tenant_id: str
) -> PaymentOptions:
    """Return which platform collects from a tenant now."""
    async with database.begin() as connection:
        connections = await list_connections(connection, tenant_id)
    now = datetime.now(UTC)
    in_force = [
        on.platform
        for on in connections
        if on.starts_at <= now and (on.ends_at is None or now < on.ends_at)
    ]
    platform = in_force[0] if in_force and in_force[0] in adapters else None
    return PaymentOptions(platform=platform)


async def invoice_link(
    database: Database,
    settings: Settings,
    adapters: Mapping[str, Adapter],
    tenant_id: str,
    invoice_id: str,
) -> PaymentLink:
    """Return the page on which an invoice is paid.

    Raises ``NotFound``; ``Conflict`` if it asks for nothing or is not on the platform yet;
    ``Unavailable``.
    """
    now = datetime.now(UTC)
    async with database.begin() as connection:
        invoice = await find_invoice(connection, settings, tenant_id, invoice_id, now)
        if invoice.state is InvoiceState.DRAFT or invoice.due.amount <= 0:
            raise NothingToPay()
        on = await connection_in_force(connection, tenant_id, invoice.issued_at or now)
        adapter = adapter_of(adapters, on.platform)
        there = await remote_object(connection, on.platform, tenant_id, "invoice", invoice_id)
    if there is None:
        raise NothingToPay("The invoice is on its way to the payment page: try again in a minute.")
    try:
        remote = await adapter.read_invoice(there["remote_id"])
    except NotDelivered as failure:
        raise PlatformAway(failure.reason) from failure
    if remote.pay_url is None or remote.remaining <= 0:
        raise NothingToPay()
    return PaymentLink(url=remote.pay_url)


async def top_up_link(
    database: Database,
    settings: Settings,
    adapters: Mapping[str, Adapter],
    tenant_id: str,
    top_up_id: str,
) -> PaymentLink:
    """Return the page on which a top-up is paid; raise ``NotFound``, ``Conflict``, ``Unavailable``.

    Raises ``InvalidInput`` for an amount with more decimals than the currency has.
    """
    async with database.begin() as connection:
        top_up = await find_top_up(connection, tenant_id, top_up_id)
    if top_up.state != "pending":
        raise NothingToPay()
    back, taxed = f"{settings.portal_url}/wallet", settings.credit_taxed == "at_sale"

    async def page(adapter: Adapter, customer: Customer, attempt: Attempt) -> str:
        document = TopUpDocument(top_up_id, customer, top_up.amount, taxed)
        return await adapter.top_up_page(document, back, attempt)

    return await _link(database, adapters, tenant_id, page)


async def saved_methods(
    database: Database, adapters: Mapping[str, Adapter], tenant_id: str
) -> list[PaymentMethod]:
    """Return what the customer saved on the platform that collects from it.

    Raises ``Conflict`` if none does; ``Unavailable``.
    """
    async with database.begin() as connection:
        on = await connection_in_force(connection, tenant_id, datetime.now(UTC))
        adapter = adapter_of(adapters, on.platform)
        customer = await customer_of_tenant(connection, tenant_id)
    attempt = Attempt(StoredMemory(database, on.platform, tenant_id))
    try:
        methods = await adapter.saved_methods(customer, attempt)
    except NotDelivered as failure:
        raise PlatformAway(failure.reason) from failure
    return [PaymentMethod.model_validate(asdict(method)) for method in methods]


async def method_link(
    database: Database, settings: Settings, adapters: Mapping[str, Adapter], tenant_id: str
) -> PaymentLink:
    """Return the page on which a payment method is saved; raise ``Conflict``, ``Unavailable``."""

    async def page(adapter: Adapter, customer: Customer, attempt: Attempt) -> str:
        return await adapter.method_page(customer, f"{settings.portal_url}/invoices", attempt)

    return await _link(database, adapters, tenant_id, page)


async def customer_link(
    database: Database, settings: Settings, adapters: Mapping[str, Adapter], tenant_id: str
) -> PaymentLink:
    """Return the customer's own pages on the platform; raise ``Conflict``, ``Unavailable``."""

    async def page(adapter: Adapter, customer: Customer, attempt: Attempt) -> str:
        return await adapter.customer_page(customer, f"{settings.portal_url}/invoices", attempt)

    return await _link(database, adapters, tenant_id, page)


async def _link(
    database: Database, adapters: Mapping[str, Adapter], tenant_id: str, page: Page
) -> PaymentLink:
    async with database.begin() as connection:
        on = await connection_in_force(connection, tenant_id, datetime.now(UTC))
        adapter = adapter_of(adapters, on.platform)
        customer = await customer_of_tenant(connection, tenant_id)
    attempt = Attempt(StoredMemory(database, on.platform, tenant_id))
    try:
        return PaymentLink(url=await page(adapter, customer, attempt))
    except Refused as refusal:
        if refusal.code == "amount_not_payable":
            raise AmountNotPayable(refusal.reason) from refusal
        raise PlatformAway(refusal.reason) from refusal
    except NotDelivered as failure:
        raise PlatformAway(failure.reason) from failure
