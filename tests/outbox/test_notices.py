"""What is recorded, in the transaction of what it tells of, and once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.voiding import void
from backend.invoices.payments.reminders import remind
from backend.invoices.settling import record_payment
from backend.settings import Settings
from backend.storage.database import Database
from backend.wallets.grants import add_grant
from backend.wallets.holds import reserve, settle
from backend.wallets.queries import set_wallet
from backend.wallets.top_ups import ask_for_top_up, finish_top_up, refresh_and_check
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import CreditNoteCreate, PaymentRecord, VoidInvoice
from backend_client.types.notifications import (
    CreditNoteIssued,
    InvoiceFinalized,
    InvoicePaid,
    InvoiceReminder,
    InvoiceSuspended,
    Notification,
    NotificationKind,
    NotificationState,
    WalletLowBalance,
    WalletTopUpFailed,
    WalletTopUpRequested,
)
from backend_client.types.wallets import (
    CreditGrantCreate,
    CreditKind,
    TopUpCreate,
    TopUpOutcome,
    TopUpRule,
    WalletSettings,
)
from tests.outbox.conftest import NOW, recorded, tell_of_top_up
from tests.support.invoices import APRIL, GRACE, MARCH, invoices_of, run_invoices

pytestmark = pytest.mark.engine


@pytest.fixture
def settings() -> Settings:
    return Settings(seller_name="Sample seller")


async def kinds(database: Database) -> list[str]:
    return [notification.event.type.value for notification in await recorded(database)]


async def last(database: Database) -> Notification:
    return (await recorded(database))[-1]


async def give(
    database: Database, tenant: Tenant, amount: str, now: datetime, until: datetime | None = None
) -> None:
    async with database.begin() as connection:
        wanted = CreditGrantCreate(
            name="Sample", kind=CreditKind.PAID, amount=Decimal(amount), expires_at=until
        )
        await add_grant(connection, tenant.id, wanted, now)


async def spend(database: Database, tenant: Tenant, amount: str, call: str, now: datetime) -> None:
    async with database.begin() as connection:
        await reserve(connection, tenant.id, call, "large", Decimal(amount), now)
    async with database.begin() as connection:
        await settle(connection, tenant.id, call, Decimal(amount), now)


async def test_an_invoice_from_issue_to_paid(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await run_invoices(database, settings, APRIL + GRACE)
    await run_invoices(database, settings, APRIL + GRACE)
    [issued] = await recorded(database)
    [row] = await invoices_of(database, tenant)
    assert issued.event.tenant_id == tenant.id
    assert issued.event.timestamp == row["issued_at"]
    assert issued.state is NotificationState.WAITING
    assert isinstance(issued.event.data, InvoiceFinalized)
    data = issued.event.data.model_dump(mode="json")
    assert data["invoice_id"] == row["id"]
    assert (data["total"], data["due"]) == ({"amount": "31.00", "currency": "USD"},) * 2
    assert data["period"]["start"] == "2026-03-01T00:00:00Z"

    late = issued.event.data.due_at
    for days in (1, 1, 7, 21, 30):
        async with database.begin() as connection:
            await remind(connection, settings, late + timedelta(days=days))
    steps = (await recorded(database))[1:]
    assert [reminder.event.type.value for reminder in steps] == [
        "invoice.reminder",
        "invoice.reminder",
        "invoice.suspended",
    ]
    assert all(isinstance(reminder.event.data, InvoiceReminder) for reminder in steps)
    assert [reminder.event.data.step for reminder in steps] == ["remind", "warn", "suspend"]
    assert isinstance(steps[-1].event.data, InvoiceSuspended)

    for amount in ("1", "30"):
        async with database.begin() as connection:
            paid = PaymentRecord(amount=Decimal(amount), method="transfer", reference=amount)
            await record_payment(connection, tenant.id, str(row["id"]), paid, NOW)
    paid_for = await last(database)
    assert isinstance(paid_for.event.data, InvoicePaid)
    assert str(paid_for.event.data.paid.amount) == "31.00"
    assert (await kinds(database)).count("invoice.paid") == 1


async def test_what_credit_pays_at_once_is_issued_and_paid(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, "100", MARCH)
    await run_invoices(database, settings, APRIL + GRACE)
    assert await kinds(database) == ["invoice.finalized", "invoice.paid"]
    issued, paid = await recorded(database)
    assert isinstance(issued.event.data, InvoiceFinalized)
    assert isinstance(paid.event.data, InvoicePaid)
    assert str(issued.event.data.due.amount) == "0.00"
    assert paid.event.data.paid_at == paid.event.data.issued_at


async def test_a_credit_note_is_told_once_however_often_it_is_asked_for(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await run_invoices(database, settings, APRIL + GRACE)
    [row] = await invoices_of(database, tenant)
    for _ in range(2):
        async with database.begin() as connection:
            wanted = CreditNoteCreate(reason="slow")
            await credit(
                connection, settings, tenant, str(row["id"]), wanted, NOW, idempotency_key="once"
            )
    assert await kinds(database) == ["invoice.finalized", "credit_note.issued", "invoice.paid"]
    note = (await recorded(database))[1].event.data
    assert isinstance(note, CreditNoteIssued)
    assert (note.invoice_number, note.reason, str(note.total.amount)) == (
        row["number"],
        "slow",
        "31.00",
    )


async def test_an_invoice_that_is_issued_again_is_told_under_its_own_number(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await run_invoices(database, settings, APRIL + GRACE)
    [row] = await invoices_of(database, tenant)
    async with database.begin() as connection:
        wanted = VoidInvoice(reason="wrong address", reissue=True)
        await void(connection, settings, tenant, str(row["id"]), wanted, NOW)
    data = [notification.event.data for notification in await recorded(database)]
    assert all(isinstance(notice, InvoiceFinalized) for notice in data)
    assert len({notice.number for notice in data if isinstance(notice, InvoiceFinalized)}) == 2


async def test_a_low_balance_is_told_once_a_fall(database: Database, tenant: Tenant) -> None:
    async with database.begin() as connection:
        await set_wallet(connection, tenant.id, WalletSettings(low_balance=Decimal(5)))
    # The clock stands still: a fall is known by the ledger, not by its moment
    await give(database, tenant, "10", NOW)
    for number in range(3):
        await spend(database, tenant, "2", f"first {number}", NOW)
    await spend(database, tenant, "1", "still low", NOW)
    assert await kinds(database) == ["wallet.low_balance"]
    low = (await last(database)).event.data
    assert isinstance(low, WalletLowBalance)
    assert low.model_dump(mode="json") == {
        "balance": {"amount": "4", "currency": "USD"},
        "low_balance": {"amount": "5", "currency": "USD"},
    }
    await give(database, tenant, "10", NOW)
    await spend(database, tenant, "10", "second", NOW)
    assert await kinds(database) == ["wallet.low_balance"] * 2


async def test_credit_that_expires_makes_a_balance_low(database: Database, tenant: Tenant) -> None:
    async with database.begin() as connection:
        await set_wallet(connection, tenant.id, WalletSettings(low_balance=Decimal(5)))
    await give(database, tenant, "10", NOW, until=NOW + timedelta(days=1))
    assert await kinds(database) == []
    for _ in range(2):
        async with database.begin() as connection:
            await refresh_and_check(connection, tenant.id, NOW + timedelta(days=2))
    assert await kinds(database) == ["wallet.low_balance"]


async def test_top_ups_by_a_person_and_by_the_rule(database: Database, tenant: Tenant) -> None:
    rule = TopUpRule(threshold=Decimal(5), amount=Decimal(20), daily_ceiling=Decimal(40))
    async with database.begin() as connection:
        await set_wallet(connection, tenant.id, WalletSettings(top_up=rule))
    await give(database, tenant, "6", NOW)
    await spend(database, tenant, "2", "one", NOW)
    await spend(database, tenant, "1", "two", NOW)
    automatic = (await recorded(database))[0].event.data
    for _ in range(2):
        async with database.begin() as connection:
            wanted = TopUpCreate(amount=Decimal("12.5"))
            asked = await ask_for_top_up(connection, tenant.id, wanted, NOW, idempotency_key="once")
    assert await kinds(database) == ["wallet.top_up_requested"] * 2
    by_person = (await last(database)).event.data
    assert isinstance(automatic, WalletTopUpRequested)
    assert isinstance(by_person, WalletTopUpRequested)
    assert (automatic.automatic, str(automatic.amount.amount)) == (True, "20")
    assert (by_person.automatic, by_person.top_up_id) == (False, asked.id)
    assert by_person.model_dump(mode="json")["amount"] == {"amount": "12.5", "currency": "USD"}

    for top_up_id, state in ((automatic.top_up_id, "failed"), (asked.id, "paid")):
        for _ in range(2):
            async with database.begin() as connection:
                outcome = TopUpOutcome.model_validate({"state": state, "reference": "ch_1"})
                await finish_top_up(connection, tenant.id, top_up_id, outcome, NOW)
    failed = (await recorded(database))[2:]
    assert [notification.event.type for notification in failed] == [
        NotificationKind.WALLET_TOP_UP_FAILED
    ]
    assert isinstance(failed[0].event.data, WalletTopUpFailed)
    assert failed[0].event.data.reference == "ch_1"


async def test_what_is_rolled_back_is_not_told(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    async with database.engine.connect() as connection:
        await ask_for_top_up(connection, tenant.id, TopUpCreate(amount=Decimal(1)), NOW)
        await connection.rollback()
    assert await recorded(database) == []


async def test_many_who_tell_the_same_tell_it_once(database: Database, tenant: Tenant) -> None:
    await asyncio.gather(*(tell_of_top_up(database, tenant.id, "top_1") for _ in range(5)))
    assert len(await recorded(database)) == 1


async def test_reminders_go_on_for_invoices_of_a_tenant_that_was_removed(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await run_invoices(database, settings, APRIL + GRACE)
    [row] = await invoices_of(database, tenant)
    async with database.begin() as connection:
        await connection.execute(text("DELETE FROM tenants"))
        await remind(connection, settings, row["due_at"] + timedelta(days=1))
    assert (await kinds(database))[-1] == "invoice.reminder"
