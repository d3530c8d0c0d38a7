"""Money that goes back: returned payments, refunds, balances paid out; and money by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from backend.customers.suspension import is_suspended
from backend.errors import Conflict
from backend.ids import new_id
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.voiding import void
from backend.invoices.errors import AmountOverAvailable, AmountOverDue, MomentToCome
from backend.invoices.issuing.one_off import issue_one_off
from backend.invoices.payments.applying import account_balance, apply_by_hand, apply_to_open
from backend.invoices.payments.reminders import remind
from backend.invoices.payments.returning import refund_balance, refund_payment, return_payment
from backend.invoices.queries import find_invoice
from backend.invoices.settling import record_payment, write_off
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import notifications
from backend.wallets.grants import add_grant
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    ApplyToInvoice,
    BalanceRefund,
    CreditNoteCreate,
    Invoice,
    OneOffInvoiceCreate,
    PaymentRecord,
    PaymentRefund,
    PaymentReturn,
    VoidInvoice,
)
from backend_client.types.wallets import CreditGrantCreate
from tests.support.billing import make_tenant
from tests.support.double_entry import reconcile
from tests.support.invoices import APRIL, GRACE, MAY, invoices_of, run_invoices, subscribed
from tests.support.waiting import until

pytestmark = pytest.mark.engine

NOW = APRIL + GRACE
DAY = timedelta(days=1)
OVERDUE = NOW + 60 * DAY


@pytest.fixture
async def tenant(database: Database) -> AsyncIterator[Tenant]:
    """A customer whose books reconcile after the test too."""
    tenant = await subscribed(database, is_sample=False)
    yield tenant
    async with database.begin() as connection:
        first, last = date(2026, 3, 1), date(2027, 3, 1)
        assert await reconcile(connection, tenant, first, last, OVERDUE) == {}


@pytest.fixture
async def march(database: Database, tenant: Tenant, settings: Settings) -> str:
    """March's invoice, of 31.00."""
    await run_invoices(database, settings, NOW)
    [row] = await invoices_of(database, tenant)
    return str(row["id"])


class Desk:
    """An operator at work on a tenant's invoices."""

    def __init__(self, database: Database, settings: Settings, tenant: Tenant) -> None:
        self.database, self.settings, self.tenant = database, settings, tenant

    async def pay(self, invoice_id: str, amount: str, reference: str = "1", **more: Any) -> str:
        async with self.database.begin() as connection:
            wanted = {"amount": amount, "method": "transfer", "reference": reference, **more}
            paid = PaymentRecord.model_validate(wanted)
            await record_payment(connection, self.tenant.id, invoice_id, paid, NOW)
        invoice = await self.invoice(invoice_id)
        [payment] = [each for each in invoice.payments if each.reference == reference]
        return payment.id

    async def take_back(self, invoice_id: str, payment_id: str, reference: str = "R1") -> None:
        async with self.database.begin() as connection:
            wanted = PaymentReturn(reference=reference)
            await return_payment(connection, self.tenant, invoice_id, payment_id, wanted, NOW)

    async def refund(
        self, invoice_id: str, payment_id: str, amount: str | None, reference: str = "back"
    ) -> None:
        async with self.database.begin() as connection:
            wanted = PaymentRefund.model_validate({"amount": amount, "reference": reference})
            await refund_payment(
                connection, self.settings, self.tenant, invoice_id, payment_id, wanted, NOW
            )

    async def pay_out(self, amount: str | None = None, reference: str = "out") -> None:
        async with self.database.begin() as connection:
            wanted = {"amount": amount, "method": "transfer", "reference": reference}
            await refund_balance(connection, self.tenant, BalanceRefund.model_validate(wanted), NOW)

    async def credit(self, invoice_id: str) -> None:
        async with self.database.begin() as connection:
            wanted = CreditNoteCreate(reason="Wrong")
            await credit(connection, self.settings, self.tenant, invoice_id, wanted, NOW)

    async def apply(self, invoice_id: str, source: str, amount: str | None = None) -> None:
        async with self.database.begin() as connection:
            wanted = ApplyToInvoice.model_validate({"source": source, "amount": amount})
            await apply_by_hand(
                connection,
                self.settings,
                self.tenant,
                invoice_id,
                wanted,
                NOW,
                idempotency_key=f"{amount}",
            )

    async def invoice(self, invoice_id: str) -> Invoice:
        async with self.database.begin() as connection:
            return await find_invoice(
                connection, self.settings, self.tenant.id, invoice_id, OVERDUE
            )

    async def balance(self) -> str:
        async with self.database.begin() as connection:
            return str((await account_balance(connection, self.tenant, NOW)).balance.amount)

    async def next_invoice(self) -> str:
        await run_invoices(self.database, self.settings, MAY + GRACE)
        *_, row = await invoices_of(self.database, self.tenant)
        return str(row["id"])


@pytest.fixture
def desk(database: Database, settings: Settings, tenant: Tenant) -> Desk:
    return Desk(database, settings, tenant)


async def test_a_returned_payment_opens_the_invoice_and_dunning_goes_on(
    database: Database, desk: Desk, march: str, settings: Settings
) -> None:
    payment = await desk.pay(march, "31.00")
    for _ in range(2):
        await desk.take_back(march, payment)
    invoice = await desk.invoice(march)
    assert (invoice.state, str(invoice.due.amount), invoice.overdue) == (
        "finalized",
        "31.00",
        True,
    )
    assert [(str(paid.amount.amount), paid.returns) for paid in invoice.payments] == [
        ("31.00", None),
        ("-31.00", payment),
    ]
    with pytest.raises(Conflict, match="'R1'"):
        await desk.take_back(march, payment, "R2")
    async with database.begin() as connection:
        steps = await remind(connection, settings, OVERDUE)
        assert [step.step for step in steps] == ["remind", "warn", "suspend"]
        assert await is_suspended(connection, desk.tenant.id)
    await desk.pay(march, "31.00", "2")
    assert (await desk.invoice(march)).state == "paid"


async def test_a_returned_payment_is_told_of_and_its_fee_is_on_the_next_invoice(
    database: Database, desk: Desk, march: str, settings: Settings
) -> None:
    payment = await desk.pay(march, "31.00")
    wanted = PaymentReturn.model_validate({"reference": "R1", "fee": "4.50"})
    for _ in range(2):
        async with database.begin() as connection:
            await return_payment(connection, desk.tenant, march, payment, wanted, NOW)
    async with database.begin() as connection:
        query = select(notifications.c.data).where(
            notifications.c.tenant_id == desk.tenant.id,
            notifications.c.kind == "invoice.payment_returned",
        )
        [data] = (await connection.scalars(query)).all()
    assert (data["reference"], data["due"]["amount"], data["fee"]["amount"]) == (
        "R1",
        "31.00",
        "4.50",
    )
    april = await desk.invoice(await desk.next_invoice())
    fees = [line for line in april.lines if line.kind == "item"]
    assert [(line.name, str(line.amount.amount)) for line in fees] == [
        ("Fee for a returned payment: R1", "4.50")
    ]


async def test_no_money_moves_at_a_time_to_come(database: Database, desk: Desk, march: str) -> None:
    later = NOW + timedelta(days=1)
    paid = {"amount": "31.00", "method": "transfer", "reference": "1", "received_at": later}
    record = PaymentRecord.model_validate(paid)
    async with database.begin() as connection:
        with pytest.raises(MomentToCome, match="received_at"):
            await record_payment(connection, desk.tenant.id, march, record, NOW)
    payment = await desk.pay(march, "31.00")
    async with database.begin() as connection:
        back = PaymentReturn(reference="R1", returned_at=later)
        with pytest.raises(MomentToCome, match="returned_at"):
            await return_payment(connection, desk.tenant, march, payment, back, NOW)


async def test_a_payment_of_a_written_off_invoice_that_is_returned_leaves_it_written_off(
    database: Database, desk: Desk, march: str
) -> None:
    async with database.begin() as connection:
        await write_off(connection, desk.tenant.id, march, NOW)
    payment = await desk.pay(march, "31.00")
    await desk.take_back(march, payment)
    assert (await desk.invoice(march)).state == "uncollectible"


async def test_an_invoice_whose_payment_was_returned_can_be_void(
    database: Database, desk: Desk, march: str, settings: Settings
) -> None:
    payment = await desk.pay(march, "31.00")
    await desk.take_back(march, payment)
    async with database.begin() as connection:
        await void(connection, settings, desk.tenant, march, VoidInvoice(reason="Wrong"), NOW)
    assert (await desk.invoice(march)).state == "void"


async def test_more_than_is_due_goes_to_the_balance_if_that_is_meant(
    desk: Desk, march: str
) -> None:
    with pytest.raises(AmountOverDue, match="excess: balance"):
        await desk.pay(march, "31.01")
    for _ in range(2):
        await desk.pay(march, "41.01", excess="balance")
    invoice = await desk.invoice(march)
    assert (invoice.state, str(invoice.paid.amount)) == ("paid", "31.00")
    assert await desk.balance() == "10.01"
    # Nothing is due any more: all of it
    await desk.pay(march, "1.00", "2", excess="balance")
    assert await desk.balance() == "11.01"


async def test_a_returned_payment_takes_back_what_it_put_on_the_balance_and_where_that_went(
    desk: Desk, march: str
) -> None:
    payment = await desk.pay(march, "41.00", excess="balance")
    april = await desk.next_invoice()  # the balance pays 10.00 of it
    assert str((await desk.invoice(april)).paid.amount) == "10.00"
    await desk.take_back(march, payment)
    for invoice_id in (march, april):
        invoice = await desk.invoice(invoice_id)
        assert (str(invoice.paid.amount), invoice.state) == ("0.00", "finalized")
    assert await desk.balance() == "0.00"


async def test_what_was_paid_stands_after_a_credit_note_until_the_bank_takes_it_back(
    desk: Desk, march: str
) -> None:
    payment = await desk.pay(march, "41.00", excess="balance")
    await desk.credit(march)
    assert str((await desk.invoice(march)).paid.amount) == "31.00"
    assert await desk.balance() == "41.00"
    await desk.take_back(march, payment)
    assert str((await desk.invoice(march)).paid.amount) == "0.00"
    assert await desk.balance() == "0.00"


async def test_a_payment_can_not_be_returned_to_a_balance_that_was_paid_out(
    desk: Desk, march: str
) -> None:
    payment = await desk.pay(march, "41.00", excess="balance")
    await desk.pay_out()
    with pytest.raises(Conflict, match="paid out since"):
        await desk.take_back(march, payment)
    assert (await desk.invoice(march)).state == "paid"  # nothing is half done


async def test_a_refund_is_credited_first_and_never_more_than_came_in(
    desk: Desk, march: str
) -> None:
    payment = await desk.pay(march, "31.00")
    for _ in range(2):
        await desk.refund(march, payment, "11.00")
    invoice = await desk.invoice(march)
    assert (str(invoice.credited.amount), invoice.state) == ("11.00", "paid")
    with pytest.raises(AmountOverAvailable, match="the 20 USD that is left"):
        await desk.refund(march, payment, "20.01", "2")
    with pytest.raises(Conflict):
        await desk.refund(march, payment, "12.00")
    await desk.refund(march, payment, None, "3")
    assert str((await desk.invoice(march)).credited.amount) == "31.00"
    assert await desk.balance() == "0.00"


async def test_a_refund_takes_from_the_balance_what_is_there(desk: Desk, march: str) -> None:
    payment = await desk.pay(march, "31.00")
    await desk.credit(march)
    assert await desk.balance() == "31.00"
    await desk.refund(march, payment, None)
    assert await desk.balance() == "0.00"
    assert len((await desk.invoice(march)).credit_notes) == 1


async def test_a_refund_of_an_invoice_paid_in_part_leaves_due_what_was(
    desk: Desk, march: str
) -> None:
    """The credit note would lower what is still due, and the balance go below zero."""
    payment = await desk.pay(march, "20.00")
    for _ in range(2):
        await desk.refund(march, payment, "12.00")
    invoice = await desk.invoice(march)
    assert (str(invoice.credited.amount), str(invoice.paid.amount)) == ("12.00", "8.00")
    assert (str(invoice.due.amount), invoice.state) == ("11.00", "finalized")
    assert await desk.balance() == "0.00"
    await desk.pay(march, "11.00", "2")
    assert (await desk.invoice(march)).state == "paid"


async def test_a_payment_that_was_returned_can_not_be_refunded(desk: Desk, march: str) -> None:
    """Not even where as much came by another payment of its kind."""
    returned = await desk.pay(march, "15.00")
    await desk.pay(march, "16.00", "2")
    await desk.take_back(march, returned)
    with pytest.raises(Conflict, match="taken back as 'R1'"):
        await desk.refund(march, returned, None)
    assert str((await desk.invoice(march)).paid.amount) == "16.00"


async def test_payments_by_two_methods_may_be_returned_by_one_reference(
    desk: Desk, march: str
) -> None:
    payments = [
        await desk.pay(march, amount, method, method=method, excess="balance")
        for amount, method in (("31.00", "transfer"), ("5.00", "card"), ("6.00", "cash"))
    ]
    april = await desk.next_invoice()  # the balance pays 11.00 of it
    for payment in payments:
        await desk.take_back(march, payment)
    for invoice_id in (march, april):
        assert str((await desk.invoice(invoice_id)).paid.amount) == "0.00"
    assert await desk.balance() == "0.00"


async def test_a_balance_is_paid_out_once_where_nobody_ever_subscribed(
    database: Database, settings: Settings
) -> None:
    """Such a customer has one-off invoices, and no cursor whose lock keeps others waiting."""
    tenant = await make_tenant(database)
    desk = Desk(database, settings, tenant)
    invoice_id = new_id("inv")
    async with database.begin() as connection:
        wanted = OneOffInvoiceCreate.model_validate(
            {"lines": [{"name": "Workshop", "unit_price": "10"}]}
        )
        await issue_one_off(connection, settings, tenant, invoice_id, wanted, NOW)
    await desk.pay(invoice_id, "30.00", excess="balance")
    async with database.begin() as first:
        paid_out = BalanceRefund(method="transfer", reference="first")
        await refund_balance(first, tenant, paid_out, NOW)
        second = asyncio.create_task(desk.pay_out(None, "second"))

        async def waits_or_is_done() -> bool:
            return second.done() or await _so_many_wait(database) > 0

        await until(waits_or_is_done)
    with pytest.raises(AmountOverAvailable, match="the 0 USD that are on the balance"):
        await second
    assert await desk.balance() == "0.00"


async def _so_many_wait(database: Database) -> int:
    """How many transactions wait for a lock."""
    query = """SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()"""
    async with database.begin() as connection:
        return int(await connection.scalar(text(query)) or 0)


async def test_a_balance_is_paid_out_once(desk: Desk, march: str) -> None:
    await desk.pay(march, "31.00")
    await desk.credit(march)
    for _ in range(2):
        await desk.pay_out("30.00")
    assert await desk.balance() == "1.00"
    with pytest.raises(AmountOverAvailable, match="the 1 USD that are on the balance"):
        await desk.pay_out("1.01", "more")
    with pytest.raises(Conflict):
        await desk.pay_out("29.00")
    await desk.pay_out(None, "rest")
    assert await desk.balance() == "0.00"
    assert await desk.next_invoice()  # which it does not pay any more
    assert await desk.balance() == "0.00"


async def test_a_balance_and_credit_are_applied_by_hand_before_an_invoice_is_overdue(
    database: Database, desk: Desk, march: str
) -> None:
    april = await desk.next_invoice()
    for kind in ("promotional", "paid"):
        async with database.begin() as connection:
            given = {"name": kind, "kind": kind, "amount": "20"}
            wanted = CreditGrantCreate.model_validate(given)
            await add_grant(connection, desk.tenant.id, wanted, NOW)
    with pytest.raises(Conflict):
        await desk.apply(april, "balance")
    await desk.pay(march, "36.00", excess="balance")
    for _ in range(2):
        await desk.apply(april, "balance", "5.00")
    assert str((await desk.invoice(april)).due.amount) == "26.00"
    with pytest.raises(AmountOverDue, match="more than the 26 that are due"):
        await desk.apply(april, "credit", "26.01")
    with pytest.raises(AmountOverAvailable, match="more than the 20 that there are"):
        await desk.apply(april, "credit", "26.00")
    await desk.apply(april, "credit")  # promotional credit pays no debt
    assert str((await desk.invoice(april)).due.amount) == "6.00"


async def test_what_a_person_does_and_the_worker_does_never_pays_twice(
    database: Database, desk: Desk, march: str
) -> None:
    april = await desk.next_invoice()
    await desk.pay(march, "41.00", excess="balance")
    await desk.apply(april, "balance")
    async with database.begin() as connection:
        assert await apply_to_open(connection, Settings(), desk.tenant, OVERDUE) == []


async def test_money_that_never_came_can_not_go_back(
    database: Database, desk: Desk, march: str
) -> None:
    payment = await desk.pay(march, "31.00")
    await desk.credit(march)
    april = await desk.next_invoice()
    [from_balance] = (await desk.invoice(april)).payments
    with pytest.raises(Exception, match="no such payment"):
        await desk.take_back(april, from_balance.id)
    with pytest.raises(Exception, match="no such payment"):
        await desk.take_back(april, payment)
