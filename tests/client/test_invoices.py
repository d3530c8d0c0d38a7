"""Both clients' methods for invoices, the operator's among them, against the API on a real port."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from backend.pricing.periods import billing_period
from backend.storage.database import Database
from backend_client import AsyncFareboxClient, Conflict, FareboxClient, Forbidden, NotFound
from backend_client.types.accounts import ApiKeyCreate, Scope, Tenant
from backend_client.types.invoices import (
    ApplyToInvoice,
    BalanceRefund,
    BillingDetails,
    BillingTerms,
    CreditNoteCreate,
    CreditNoteReversal,
    CreditWanted,
    LineEvent,
    OneOffInvoiceCreate,
    OneOffLine,
    PaymentRecord,
    PaymentRefund,
    PaymentReturn,
    VoidInvoice,
)
from tests.client.conftest import Maker
from tests.support.invoices import count, used

pytestmark = pytest.mark.engine

THIS = billing_period(datetime.now(UTC), "UTC")
LAST = billing_period(THIS.start - timedelta(days=1), "UTC")
SINCE = "UPDATE subscriptions SET start_at = :start, plan_id = 'pay-as-you-go'"


@pytest.fixture
async def tenant(database: Database, local_tenant: dict[str, Any]) -> Tenant:
    """The session's tenant, as if it had been a customer since last month."""
    tenant = Tenant.model_validate(local_tenant)
    async with database.begin() as connection:
        await connection.execute(text(SINCE), {"start": LAST.start})
    event = used(tenant, LAST.start, 12_000_000, "output_tokens")
    await count(database, [replace(event, model="sample-large")])
    return tenant


async def test_an_invoice_from_its_draft_to_its_end(
    client: Maker, url: str, token: str, operator_key: str, tenant: Tenant
) -> None:
    person, seller = client(url, token), client(url, operator_key)
    [listed] = await person.invoices.list().all()
    draft = await person.invoices.get(listed.id)
    assert (draft.state, str(draft.total.amount)) == ("draft", "118.00")

    first = await seller.invoices.finalize(draft.id, tenant=tenant.id)
    assert (first.id, first.state) == (draft.id, "finalized")
    assert await seller.invoices.finalize(draft.id, tenant=tenant.id) == first
    assert await seller.invoices.get(draft.id, tenant=tenant.id) == first
    assert (await person.invoices.pdf(first.id)).startswith(b"%PDF-")
    assert (await person.invoices.csv(first.id)).splitlines()[-1].endswith(",118.00,USD")
    with pytest.raises(NotFound):
        await person.invoices.get("inv_none")
    with pytest.raises(Forbidden):
        await client(url, await a_key(person)).invoices.finalize(draft.id, tenant=tenant.id)

    wanted = VoidInvoice(reason="wrong name", reissue=True)
    second = await seller.invoices.void(first.id, wanted, tenant=tenant.id)
    assert (second.replaces, second.total) == (first.id, first.total)
    lines = [CreditWanted(line=1, amount=Decimal("8"))]
    note = await seller.invoices.create_credit_note(
        second.id, CreditNoteCreate(reason="slow", lines=lines), tenant=tenant.id
    )
    assert (note.invoice_id, str(note.total.amount)) == (second.id, "8.00")
    taken_back = CreditNoteReversal(reason="it was fast")
    reversal = await seller.invoices.reverse_credit_note(note.id, taken_back, tenant=tenant.id)
    assert (reversal.reverses, reversal.total) == (note.id, note.total)
    paid = PaymentRecord(amount=Decimal(100), method="transfer", reference="r1")
    assert (
        str((await seller.invoices.record_payment(second.id, paid, tenant=tenant.id)).due.amount)
        == "10.00"
    )
    lost = await seller.invoices.write_off(second.id, tenant=tenant.id)
    assert lost.state == "uncollectible"
    numbers = [invoice.number for invoice in await seller.invoices.list(tenant=tenant.id).all()]
    assert numbers == [None, "FB-local-000003", "FB-local-000002", "FB-local-000001"]
    assert await seller.invoice_runs.list().all() == []
    with pytest.raises(Conflict):
        await seller.invoices.finalize((await person.invoices.list().all())[0].id, tenant=tenant.id)


async def test_money_that_goes_back_and_what_is_applied_by_hand(
    client: Maker, url: str, operator_key: str, tenant: Tenant
) -> None:
    seller = client(url, operator_key)
    lines = [OneOffLine(name="Set-up", unit_price=Decimal("99.50"))]
    one_off = OneOffInvoiceCreate(lines=lines, net_days=3)
    first = await seller.invoices.create(one_off, tenant=tenant.id)
    second = await seller.invoices.create(one_off, tenant=tenant.id)
    assert (first.kind, str(first.due.amount), first.id != second.id) == ("one_off", "99.50", True)
    paid = PaymentRecord(amount=Decimal(150), method="transfer", reference="r1", excess="balance")
    invoice = await seller.invoices.record_payment(first.id, paid, tenant=tenant.id)
    payment = next(each for each in invoice.payments if each.reference == "r1")
    applied = await seller.invoices.apply(
        second.id, ApplyToInvoice(source="balance", amount=Decimal(20)), tenant=tenant.id
    )
    assert str(applied.due.amount) == "79.50"
    out = BalanceRefund(amount=Decimal(10), method="transfer", reference="out")
    balance = await seller.invoices.refund_balance(out, tenant=tenant.id)
    assert str(balance.balance.amount) == "20.50"
    back = PaymentRefund(amount=Decimal("0.50"), reference="back")
    await seller.invoices.refund_payment(first.id, payment.id, back, tenant=tenant.id)
    assert str((await seller.invoices.balance(tenant=tenant.id)).balance.amount) == "20.00"
    other = PaymentRecord(amount=Decimal("79.50"), method="transfer", reference="r2")
    settled = await seller.invoices.record_payment(second.id, other, tenant=tenant.id)
    returned = next(each for each in settled.payments if each.reference == "r2")
    open_again = await seller.invoices.return_payment(
        second.id, returned.id, PaymentReturn(reference="R-transaction"), tenant=tenant.id
    )
    assert (settled.state, open_again.state) == ("paid", "finalized")


async def test_who_is_billed_and_on_what_terms(
    client: Maker, url: str, token: str, operator_key: str, tenant: Tenant
) -> None:
    person, seller = client(url, token), client(url, operator_key)
    assert await person.billing_details.get() == BillingDetails()
    details = BillingDetails(
        name="Sample Ltd",
        address=["Street 1"],
        tax_id="DE123456788",
        country="DE",
        region="BE",
        business=True,
    )
    assert await person.billing_details.update(details) == details
    terms = BillingTerms(net_days=7, tax_name="VAT", tax_percent=Decimal(10))
    assert await seller.billing_terms.update(terms, tenant=tenant.id) == terms
    assert await seller.billing_terms.get(tenant=tenant.id) == terms
    draft = await person.invoices.get((await person.invoices.list().all())[0].id)
    assert (draft.customer.name, str(draft.total.amount)) == ("Sample Ltd", "129.80")


async def test_the_events_behind_a_line_are_iterated_over(
    url: str, token: str, tenant: Tenant
) -> None:
    async with AsyncFareboxClient(url, token) as client:
        [draft] = await client.invoices.list().all()
        events = [event async for event in client.invoices.line_events(draft.id, 1)]
        page = await client.invoices.line_events(draft.id, 1).page()
    assert (page.items, page.next_cursor, page.archived_days) == (events, None, [])
    assert [event.quantities for event in events] == [{"output_tokens": 12_000_000}]

    def plainly() -> list[LineEvent]:
        with FareboxClient(url, token) as client:
            assert client.invoices.line_events(draft.id, 1).page() == page
            return list(client.invoices.line_events(draft.id, 1))

    assert await asyncio.to_thread(plainly) == events


async def a_key(person: Any) -> str:
    application = (await person.applications.list().all())[0].id
    wanted = ApiKeyCreate(name="A key", application_id=application, scopes=[Scope.USAGE_READ])
    return str((await person.keys.create(wanted)).secret)
