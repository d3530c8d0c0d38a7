"""Does on a platform what a dispatch asks for."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import RowMapping

from backend.outbox.platform_queue import Action
from backend.platforms.adapter import Adapter, Attempt
from backend.platforms.connections import connection_in_force, is_rated_there
from backend.platforms.sending.documents_from_rows import (
    credit_note_document,
    customer_of_tenant,
    invoice_document,
    plan_document,
    top_up_document,
)
from backend.storage.database import Database
from backend_client.types.platforms import PlatformMode


async def perform(
    database: Database, adapter: Adapter, row: RowMapping, attempt: Attempt
) -> tuple[str | None, str | None]:
    """Do what a dispatch asks for; return the remote id, and a word on what was not to be done.

    Raises ``NotDelivered`` and its kinds, and ``NotFound`` if what was to be sent is gone.
    """
    tenant_id, own_id, subject = row["tenant_id"], row["data"]["own_id"], row["subject"]
    match Action(row["action"]):
        case Action.INVOICE:
            return await _push_invoice(database, adapter, tenant_id, own_id, attempt)
        case Action.CREDIT_NOTE:
            return await _push_note(database, adapter, tenant_id, subject, own_id, attempt)
        case Action.TOP_UP:
            return await _charge(database, adapter, tenant_id, own_id, attempt)
        case Action.SUBSCRIBE:
            return await _subscribe(database, adapter, tenant_id, own_id, attempt)
        case Action.UNSUBSCRIBE:
            return await _unsubscribe(adapter, row, attempt)
        case action:
            return await _follow(database, adapter, tenant_id, subject, action, attempt)


async def _push_invoice(
    database: Database, adapter: Adapter, tenant_id: str, invoice_id: str, attempt: Attempt
) -> tuple[str | None, str | None]:
    async with database.begin() as connection:
        invoice, customer = await invoice_document(connection, tenant_id, invoice_id, adapter.name)
    if invoice.total < 0:
        return None, "It gives money back, which is on the customer's balance."
    remote_customer = await adapter.ensure_customer(customer, attempt)
    return await adapter.push_invoice(invoice, remote_customer, attempt), None


async def _push_note(
    database: Database,
    adapter: Adapter,
    tenant_id: str,
    invoice_id: str,
    note_id: str,
    attempt: Attempt,
) -> tuple[str | None, str | None]:
    remote_invoice = await attempt.memory.recall("invoice", invoice_id)
    if remote_invoice is None:
        return None, "Its invoice is not on the platform."
    async with database.begin() as connection:
        note = await credit_note_document(connection, tenant_id, note_id, remote_invoice)
    remote_id = await adapter.push_credit_note(note, attempt)
    # What was paid elsewhere may be all that is asked for by now
    await _settle(database, adapter, tenant_id, invoice_id, remote_invoice, attempt)
    return remote_id, None if remote_id else "It is on the customer's balance with us alone."


async def _charge(
    database: Database, adapter: Adapter, tenant_id: str, top_up_id: str, attempt: Attempt
) -> tuple[str | None, str | None]:
    async with database.begin() as connection:
        document, top_up = await top_up_document(connection, tenant_id, top_up_id)
        on = await connection_in_force(connection, tenant_id, top_up.asked_at)
    if top_up.state != "pending":
        return None, f"It is {top_up.state} already."
    if on.mode == PlatformMode.USAGE and not adapter.draws_credit:
        return None, "Where the platform rates usage it draws on no credit."
    return await adapter.charge_top_up(document, attempt), None


async def _subscribe(
    database: Database, adapter: Adapter, tenant_id: str, own_id: str, attempt: Attempt
) -> tuple[str | None, str | None]:
    starts_at = _instant(own_id)
    async with database.begin() as connection:
        if not await is_rated_there(connection, adapter.name, tenant_id, starts_at):
            return None, "The platform rates nothing any more then."
        plan, ends = await plan_document(connection, tenant_id, starts_at)
        customer = await customer_of_tenant(connection, tenant_id)
    remote_customer = await adapter.ensure_customer(customer, attempt)
    remote_id = await adapter.subscribe(plan, remote_customer, starts_at, ends, attempt)
    await attempt.memory.remember("plan", own_id, f"{plan.id} {plan.version}")
    return remote_id, None


def _instant(own_id: str) -> datetime:
    """Return when a connection began, by which its subscription is named."""
    return datetime.fromtimestamp(int(own_id), UTC)


async def _unsubscribe(
    adapter: Adapter, row: RowMapping, attempt: Attempt
) -> tuple[str | None, str | None]:
    remote_id = await attempt.memory.recall("subscription", row["data"]["own_id"])
    if remote_id is None:
        return None, "There is no subscription on the platform."
    at = row["data"].get("at")
    ends_at = row["next_attempt_at"] if at is None else datetime.fromisoformat(at)
    await adapter.unsubscribe(remote_id, ends_at, attempt)
    return remote_id, None


async def _follow(
    database: Database,
    adapter: Adapter,
    tenant_id: str,
    invoice_id: str,
    action: Action,
    attempt: Attempt,
) -> tuple[str | None, str | None]:
    """Do there what became of an invoice here."""
    remote_id = await attempt.memory.recall("invoice", invoice_id)
    if remote_id is None:
        return None, "Its invoice is not on the platform."
    if action is Action.VOID:
        await adapter.void(remote_id, attempt)
    elif action is Action.WRITE_OFF:
        await adapter.write_off(remote_id, attempt)
    else:
        return remote_id, await _settle(
            database, adapter, tenant_id, invoice_id, remote_id, attempt
        )
    return remote_id, None


async def _settle(
    database: Database,
    adapter: Adapter,
    tenant_id: str,
    invoice_id: str,
    remote_id: str,
    attempt: Attempt,
) -> str | None:
    async with database.begin() as connection:
        invoice, customer = await invoice_document(connection, tenant_id, invoice_id, adapter.name)
    remote_customer = await adapter.ensure_customer(customer, attempt)
    return await adapter.settle(invoice, remote_customer, remote_id, attempt)
