"""Invoices of plans with yearly fees: renewed, given back onto the balance, never billed twice."""

from __future__ import annotations

import csv
import io
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pypdfium2
import pytest

from backend.catalog.published import apply_catalog
from backend.customers.profiles import set_terms
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.drafts.line_events import line_events
from backend.invoices.issuing.issuing import balances_of
from backend.invoices.paper.as_csv import invoice_csv
from backend.invoices.paper.as_pdf import invoice_pdf
from backend.invoices.queries import find_credit_note, find_invoice
from backend.invoices.runs.finalizing import bill_progress
from backend.settings import Settings
from backend.storage.database import Database
from backend.subscriptions.changes import cancel, change_plan
from backend.wallets.grants import add_grant
from backend.wallets.prepayment import Prepayment
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import BillingTerms, CreditNoteCreate, Invoice
from backend_client.types.subscriptions import SubscriptionCancel, SubscriptionChange
from backend_client.types.wallets import CreditGrantCreate
from tests.support.billing import catalog_with
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    count,
    invoices_of,
    lines_of_invoice,
    run_invoices,
    subscribed,
    used,
)

pytestmark = pytest.mark.engine

DAY = timedelta(days=1)
M = 1_000_000
FEE = {"id": "fee", "name": "Fee", "kind": "flat", "cadence": "year", "price": "365"}
SEATS = FEE | {"id": "seats", "name": "Seats", "per": "seat", "price": "73"}
INPUT = {
    "id": "input",
    "name": "Input",
    "kind": "per_unit",
    "meters": ["input_tokens"],
    "price": "0.15",
}
PLANS = [
    {"id": "free", "name": "Free"},
    {"id": "yearly", "name": "Yearly", "charges": [FEE, SEATS, INPUT]},
    {"id": "prepaid", "name": "Prepaid", "prepaid": True, "charges": [INPUT]},
]


@pytest.fixture
async def yearly(database: Database) -> Tenant:
    """Since the first of March on the yearly plan with four seats, at 657 a year."""
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=PLANS))
    tenant = await subscribed(database, "yearly")
    await change(database, tenant, MARCH, seats=4)
    return tenant


async def change(database: Database, tenant: Tenant, at: datetime, **wanted) -> None:
    async with database.begin() as connection:
        asked = SubscriptionChange(**{"plan": "yearly", "at": at} | wanted)
        await change_plan(connection, tenant.id, asked, at)


def month(number: int) -> datetime:
    """The first of a month; 1 is January 2026."""
    return datetime(2026 + (number - 1) // 12, (number - 1) % 12 + 1, 1, tzinfo=UTC)


async def run_through(database: Database, settings: Settings, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await run_invoices(database, settings, month(number) + GRACE)


async def read(database: Database, tenant: Tenant, settings: Settings, place: int) -> Invoice:
    row = (await invoices_of(database, tenant))[place]
    async with database.begin() as connection:
        return await find_invoice(connection, settings, tenant.id, str(row["id"]), MAY)


async def balance(database: Database, tenant: Tenant) -> str:
    async with database.begin() as connection:
        return str((await balances_of(connection, [tenant.id])).get(tenant.id, 0))


async def test_a_downgrade_and_a_renewal(
    database: Database, yearly: Tenant, settings: Settings
) -> None:
    tenant = yearly
    await count(database, [used(tenant, MARCH + DAY, 10 * M)])
    await run_through(database, settings, 4, 7)
    downgrade = MARCH + 135 * DAY  # the 14th of July: 230 days are left
    await count(database, [used(tenant, downgrade, 10 * M)])
    await change(database, tenant, downgrade, seats=1)
    await run_through(database, settings, 8, 8)
    assert await balance(database, tenant) == "136.50"
    await count(database, [used(tenant, month(8), 100 * M)])
    await run_through(database, settings, 9, 9)
    # Late usage of March is billed, and nothing of the fees again: not the year, not what was given
    await count(database, [used(tenant, MARCH + 2 * DAY, 20 * M)])
    await run_through(database, settings, 10, 16)

    rows = await invoices_of(database, tenant)
    assert [
        (row["period_start"], str(row["total"]), str(row["paid"]), row["state"]) for row in rows
    ] == [
        (MARCH, "658.50", "0", "finalized"),
        (month(7), "-136.50", "-136.50", "paid"),
        (month(8), "15.00", "15.00", "paid"),
        (month(9), "3.00", "3.00", "paid"),
        (month(15), "438.00", "118.50", "finalized"),  # the next year, less what was left
    ]
    assert await balance(database, tenant) == "0.00"
    lines = [
        [(line["item"], str(line["amount"]), line["late"]) for line in invoice_lines]
        for invoice_lines in [await lines_of_invoice(database, tenant, row["id"]) for row in rows]
    ]
    assert lines == [
        [("fee", "365.00", False), ("seats", "292.00", False), ("input", "1.50", False)],
        [("seats", "-138.00", False), ("input", "1.50", False)],
        [("input", "15.00", False)],
        [("input", "3.00", True)],
        [("fee", "365.00", False), ("seats", "73.00", False)],
    ]


async def test_on_paper_and_with_tax(
    database: Database, yearly: Tenant, settings: Settings
) -> None:
    tenant = yearly
    async with database.begin() as connection:
        terms = BillingTerms(tax_name="VAT", tax_percent=Decimal(19))
        await set_terms(connection, tenant.id, terms)
    await run_through(database, settings, 4, 7)
    await change(database, tenant, MARCH + 135 * DAY, seats=1)
    await run_through(database, settings, 8, 8)
    asked, back = [await read(database, tenant, settings, place) for place in (0, 1)]
    assert (str(asked.total.amount), str(back.total.amount)) == ("781.83", "-164.22")
    assert str(back.taxes[0].amount.amount) == "-26.22"
    for invoice, said in (
        (asked, ["365.00 / year", "73.00 / year", "1 Mar 2026 – 28 Feb 2027", "657.00"]),
        (
            back,
            [
                "−3",
                "for 63.0137% of the year",
                "73.00 / year",
                "14 Jul 2026 – 28 Feb 2027",
                "−138.00",
                "−164.22",
            ],
        ),
    ):
        with closing(pypdfium2.PdfDocument(invoice_pdf(invoice))) as printed:
            page = printed[0].get_textpage().get_text_bounded()
        for words in said:
            assert words in page, words
        rows = list(csv.DictReader(io.StringIO(invoice_csv(invoice))))
        amounts = [Decimal(row["amount"]) for row in rows if row["kind"] == "charge"]
        assert sum(amounts) == invoice.subtotal.amount
        assert {row["charge_end"] for row in rows if row["kind"] == "charge"} == {
            "2027-03-01T00:00:00+00:00"
        }
        # A fee has no events behind it, whatever time it is for
        async with database.begin() as connection:
            page = await line_events(connection, tenant.id, invoice, 1, cursor=None, limit=10)
        assert page.items == []


async def test_in_part_when_the_year_begins_and_fewer_seats_before_the_period_is_over(
    database: Database, yearly: Tenant, settings: Settings
) -> None:
    tenant = yearly
    async with database.begin() as connection:
        await set_terms(connection, tenant.id, BillingTerms(progressive_threshold=Decimal(100)))
        assert await bill_progress(connection, settings, tenant.id, MARCH + DAY) is not None
    await change(database, tenant, MARCH + 15 * DAY, seats=1)  # 350 days of three seats
    async with database.begin() as connection:
        assert await bill_progress(connection, settings, tenant.id, MARCH + 16 * DAY) is None
    await run_through(database, settings, 4, 4)
    totals = [str(row["total"]) for row in await invoices_of(database, tenant)]
    assert totals == ["657.00", "-210.00"]
    assert await balance(database, tenant) == "210.00"


async def test_a_canceled_tenant_has_its_rest_invoiced_and_then_nothing(
    database: Database, yearly: Tenant, settings: Settings
) -> None:
    async with database.begin() as connection:
        await cancel(connection, yearly.id, SubscriptionCancel(), MARCH + DAY)
    await run_through(database, settings, 4, 8)
    rows = await invoices_of(database, yearly)
    assert [(row["period_start"], str(row["total"])) for row in rows] == [
        (MARCH, "657.00"),
        (APRIL, "-601.20"),  # 334 of 365 days
    ]


async def test_an_invoice_with_lines_on_both_sides_is_credited_whole(
    database: Database, yearly: Tenant, settings: Settings
) -> None:
    await run_through(database, settings, 4, 4)
    dearer = {"id": "yearly", "name": "Yearly", "charges": [FEE | {"price": "730"}, SEATS, INPUT]}
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=[PLANS[0], dearer, PLANS[2]]))
    await change(database, yearly, MARCH + 35 * DAY)
    await run_through(database, settings, 5, 5)
    invoice = await read(database, yearly, settings, 1)
    assert [str(line.amount.amount) for line in invoice.lines] == [
        "-330.00",
        "-264.00",
        "660.00",
        "264.00",
    ]
    async with database.begin() as connection:
        wanted = CreditNoteCreate(reason="agreed")
        note_id = await credit(connection, settings, yearly, invoice.id, wanted, MAY + GRACE)
        note = await find_credit_note(connection, yearly.id, note_id)
    assert (str(note.total.amount), str(note.to_balance.amount)) == ("330.00", "0.00")


async def test_what_the_wallet_paid_is_apart_from_what_is_given_back(
    database: Database, yearly: Tenant, settings: Settings
) -> None:
    """To a prepaid plan in mid-month: calls are paid, and the rest of the year comes back."""
    tenant = yearly
    await run_through(database, settings, 4, 4)
    moved = MARCH + 35 * DAY  # the 5th of April: 330 days are left
    await change(database, tenant, moved, plan="prepaid")
    wanted = {"name": "Credit", "kind": "paid", "amount": "5"}
    async with database.begin() as connection:
        await add_grant(connection, tenant.id, CreditGrantCreate.model_validate(wanted), moved)
    prepayment = Prepayment(database)
    quantities = {"input_tokens": Decimal(20 * M)}
    at = moved + DAY
    assert await prepayment.reserve(tenant.id, "call", "large", quantities, at)
    await prepayment.settle(tenant.id, "call", "large", quantities, at, at)
    await count(database, [used(tenant, at, 20 * M)])
    await run_through(database, settings, 5, 5)
    invoice = await read(database, tenant, settings, 1)
    assert [(line.kind, line.name, str(line.amount.amount)) for line in invoice.lines] == [
        ("charge", "Fee", "-330.00"),
        ("charge", "Seats", "-264.00"),
        ("charge", "Input", "3.00"),
        ("redeemed", "Paid from credit as it was used", "-3.00"),
    ]
    assert await balance(database, tenant) == "594.00"
