"""Finished invoices on Orb: with our lines, our taxes and our total, once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.customers.profiles import set_details
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.voiding import void
from backend.invoices.queries import find_invoice
from backend.invoices.settling import record_payment, write_off
from backend.platforms.orb.adapter import Orb
from backend.platforms.queries import replay_all
from backend.pricing.tax.lines import TaxRate
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    BillingDetails,
    CreditNoteCreate,
    CreditWanted,
    PaymentRecord,
    VoidInvoice,
)
from tests.platforms.conftest import VAT, Clock, dispatches, drift, issued
from tests.platforms.orb.conftest import DETAILS, apply, on_orb, send
from tests.support.orb.server import OrbStandIn, Trouble

pytestmark = pytest.mark.engine


def of_ours(stand_in: OrbStandIn) -> dict[str, dict[str, Any]]:
    """Orb's invoices by our ids."""
    return {remote["metadata"]["farebox_id"]: remote for remote in stand_in.books.all("invoice")}


async def test_an_invoice_is_there_as_it_is_here(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb, tenant: Tenant
) -> None:
    """With taxes, lines below zero and more lines than Stripe takes; and its customer."""
    city = TaxRate("city", "City tax", Decimal("1.5"))
    amounts = ["10.01", "-3.33", "0.00", *[f"{number}.07" for number in range(248)]]
    invoice_id = await issued(database, settings, tenant, amounts, [VAT, city])
    assert await send(database, orb) == 1
    async with database.begin() as connection:
        ours = await find_invoice(connection, settings, tenant.id, invoice_id, datetime.now(UTC))
    [remote] = stand_in.books.all("invoice")
    assert (remote["status"], remote["currency"]) == ("issued", "USD")
    assert Decimal(remote["total"]) == Decimal(remote["amount_due"]) == ours.total.amount
    *lines, vat, city_tax = remote["line_items"]
    assert [Decimal(line["amount"]) for line in lines] == [Decimal(amount) for amount in amounts]
    assert lines[0]["name"] == "1. Line 1 (12.34567891)"
    assert (lines[0]["start_date"][:10], lines[0]["end_date"][:10]) == ("2026-03-01", "2026-03-31")
    assert [tax["name"] for tax in (vat, city_tax)] == ["VAT 19 %", "City tax 1.5 %"]
    taxes = [tax.amount.amount for tax in ours.taxes]
    assert [Decimal(tax["amount"]) for tax in (vat, city_tax)] == taxes
    assert remote["memo"] == f"Invoice {ours.number}"
    [customer] = stand_in.books.all("customer")
    assert customer["external_customer_id"] == f"{tenant.id}-USD"
    assert (customer["name"], customer["timezone"]) == ("Sample Inc.", "UTC")
    [row] = await dispatches(database, tenant)
    assert (row["state"], row["remote_id"]) == ("confirmed", remote["id"])
    assert await send(database, orb) == 0


async def test_each_currency_has_its_decimals_and_a_customer_of_its_own(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb
) -> None:
    for currency, amount in (("JPY", "1234"), ("KWD", "1.234"), ("USD", "9.99")):
        tenant = await on_orb(database, orb, currency=currency)
        await issued(database, settings, tenant, [amount])
        await send(database, orb)
        remote = stand_in.books.all("invoice")[-1]
        assert (remote["total"], remote["currency"]) == (amount, currency)
        assert remote["customer"]["external_customer_id"] == f"{tenant.id}-{currency}"


@pytest.mark.parametrize("trouble", ["lost", "500", "429"])
async def test_any_request_may_fail_and_there_is_one_invoice(
    database: Database,
    settings: Settings,
    stand_in: OrbStandIn,
    orb: Orb,
    tenant: Tenant,
    trouble: Trouble,
) -> None:
    """Each of the six requests that change something fails once: Orb keeps no keys of them."""
    await issued(database, settings, tenant, ["10.00", "5.00"], [VAT])
    clock = Clock()
    for turn in range(6):
        stand_in.trouble.append(trouble)
        await send(database, orb, clock)
        [row] = await dispatches(database, tenant)
        assert row["state"] == "waiting"
        assert row["attempts"] == (0 if trouble == "429" else turn + 1)
        clock.pass_by(timedelta(hours=25))  # no key is relied on, however long it takes
        if trouble != "lost":
            stand_in.trouble.clear()
            break
    await send(database, orb, clock)
    [row] = await dispatches(database, tenant)
    assert row["state"] == "confirmed"
    assert len(stand_in.books.all("customer")) == 1
    assert len(stand_in.books.all("item")) == 3
    [remote] = stand_in.books.all("invoice")
    assert (remote["status"], remote["total"], len(remote["line_items"])) == ("issued", "17.85", 3)


async def test_two_workers_make_one_invoice_of_each(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb, tenant: Tenant
) -> None:
    for month in (3, 4, 5):
        await issued(database, settings, tenant, ["10.00", "2.00"], month=month)
    stand_in.trouble.append("429")  # a limit is no failure
    clock = Clock()
    for _ in range(2):
        await asyncio.gather(send(database, orb, clock), send(database, orb, clock))
        clock.pass_by(timedelta(minutes=1))
    rows = await dispatches(database, tenant)
    assert [(row["state"], row["attempts"]) for row in rows] == [("confirmed", 1)] * 3
    assert len(stand_in.books.all("customer")) == 1
    assert [remote["total"] for remote in stand_in.books.all("invoice")] == ["12.00"] * 3


async def test_what_happens_here_happens_there(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb, tenant: Tenant
) -> None:
    """Paid elsewhere, in part and wholly; voided; written off; credited, open and paid."""
    ids = [
        await issued(database, settings, tenant, ["10.00", "20.00"], [VAT], month=month)
        for month in range(1, 7)
    ]
    part, whole, voided, given_up, credited, paid_first = ids
    now = datetime.now(UTC)

    async def pay(invoice_id: str, amount: str) -> None:
        paid = PaymentRecord(amount=Decimal(amount), method="transfer", reference=amount)
        async with database.begin() as connection:
            await record_payment(connection, tenant.id, invoice_id, paid, now)

    await pay(paid_first, "5.70")  # before Orb has it
    await send(database, orb)
    for invoice_id, amount in ((part, "5.70"), (whole, "35.70"), (paid_first, "30.00")):
        await pay(invoice_id, amount)
    async with database.begin() as connection:
        await void(connection, settings, tenant, voided, VoidInvoice(reason="wrong"), now)
        await write_off(connection, tenant.id, given_up, now)
    await send(database, orb)
    await pay(credited, "23.80")
    wanted = CreditNoteCreate(
        reason="too much", lines=[CreditWanted(line=2, amount=Decimal("10.00"))]
    )
    async with database.begin() as connection:
        for invoice_id in (credited, paid_first):
            await credit(connection, settings, tenant, invoice_id, wanted, now)
    await send(database, orb)
    rows = await dispatches(database, tenant)
    assert {row["state"] for row in rows} == {"confirmed"}
    reasons = {row["reason"] for row in rows if row["reason"]}
    assert reasons == {
        "Orb takes no payment in part: it asks for 35.70 until all is paid.",
        "It is on the customer's balance with us alone.",
    }
    there = of_ours(stand_in)
    assert [(there[own]["status"], there[own]["amount_due"]) for own in ids] == [
        ("issued", "35.70"),
        ("paid", "35.70"),
        ("void", "35.70"),
        ("void", "35.70"),
        ("paid", "23.80"),
        ("paid", "30.00"),
    ]
    assert there[paid_first]["line_items"][-1]["name"] == "Paid before"
    [note] = stand_in.books.all("credit_note")
    assert (note["total"], note["type"], note["invoice_id"]) == (
        "11.90",
        "adjustment",
        there[credited]["id"],
    )
    # All of it comes back by webhooks, and is no news here; a void of what is given up is none
    await apply(database, settings, orb, stand_in.books.events)
    assert await drift(database) == []
    async with database.begin() as connection:
        for invoice_id in ids:
            ours = await find_invoice(connection, settings, tenant.id, invoice_id, now)
            assert {payment.method for payment in ours.payments} <= {"transfer", "balance"}
            assert len(ours.credit_notes) == (invoice_id in {credited, paid_first})


async def test_a_customer_that_is_there_is_taken_unless_it_pays_in_another_currency(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb, tenant: Tenant
) -> None:
    books, alias = stand_in.books, f"{tenant.id}-USD"
    values = {"name": "By hand", "email": "a@sample.example", "external_customer_id": alias}
    customer = books.post_customers({**values, "currency": "EUR"}, {}, stand_in.now)
    await issued(database, settings, tenant, ["10.00"])
    await send(database, orb)
    [row] = await dispatches(database, tenant)
    assert (row["state"], row["reason"]) == (
        "refused",
        f"Orb's customer {customer['id']} is billed in EUR, the tenant in USD.",
    )
    customer["currency"] = None
    async with database.begin() as connection:
        assert await replay_all(connection, "orb", tenant.id, datetime.now(UTC)) == 1
    await send(database, orb)
    assert [row["state"] for row in await dispatches(database, tenant)] == ["confirmed"]
    assert [there["name"] for there in books.all("customer")] == ["Sample Inc."]


async def test_what_orb_needs_or_adds_is_named_and_replayed_once_it_is_mended(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb, tenant: Tenant
) -> None:
    """A customer without an address, and an account that adds a tax of its own."""
    details = DETAILS.model_copy(update={"email": None})
    async with database.begin() as connection:
        await set_details(connection, tenant.id, details)
    without_address = await issued(database, settings, tenant, ["10.00"], month=1)
    await send(database, orb)
    [row] = await dispatches(database, tenant)
    assert row["state"] == "refused"
    assert row["reason"].startswith("Orb needs an e-mail address of each customer")
    assert without_address == row["subject"]

    async with database.begin() as connection:
        await set_details(connection, tenant.id, BillingDetails.model_validate(DETAILS))
    await issued(database, settings, tenant, ["20.00"], month=2)
    stand_in.books.own_tax = Decimal("0.1")
    await send(database, orb)
    taxed = (await dispatches(database, tenant))[-1]
    [draft] = stand_in.books.all("invoice")
    assert taxed["state"] == "refused"
    assert taxed["reason"].startswith(f"Orb's draft {draft['id']} has the total 22.00, not 20.00.")
    stand_in.books.own_tax = Decimal(0)
    stand_in.books.retotal(draft)
    async with database.begin() as connection:
        assert await replay_all(connection, "orb", tenant.id, datetime.now(UTC)) == 2
    await send(database, orb)
    # An invoice names its customer as it was issued: the first has no address for good
    assert [row["state"] for row in await dispatches(database, tenant)] == ["refused", "confirmed"]
    assert [remote["status"] for remote in stand_in.books.all("invoice")] == ["issued"]
