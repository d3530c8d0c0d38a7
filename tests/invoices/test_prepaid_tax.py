"""Tax on what credit paid: it falls once, however the credit came into the wallet."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pypdfium2
import pytest

from backend.accounting.queries import read_journal
from backend.catalog.published import apply_catalog
from backend.customers.profiles import set_details, set_terms
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.electronic.building import credit_note_document, invoice_document
from backend.invoices.paper.as_csv import invoice_csv
from backend.invoices.paper.as_pdf import invoice_pdf
from backend.invoices.queries import as_printed, find_invoice
from backend.invoices.runs.finalizing import bill_progress
from backend.platforms.sending.documents_from_rows import invoice_document as platform_document
from backend.platforms.stripe.lines import line_forms
from backend.settings import Settings
from backend.storage.database import Database
from backend.wallets.grants import add_grant
from backend.wallets.prepayment import Prepayment
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    BillingDetails,
    BillingTerms,
    CreditNoteCreate,
    Invoice,
)
from backend_client.types.wallets import CreditGrantCreate
from tests.support.billing import catalog_with
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    count,
    invoices_of,
    run_invoices,
    subscribed,
    used,
)

pytestmark = pytest.mark.engine

NOW = APRIL + GRACE
DAY = timedelta(days=1)
CALLS = {"id": "calls", "name": "Calls", "prepaid": True}
PRICE = {"name": "Input", "kind": "per_unit", "meters": ["input_tokens"], "price": "0.59"}
PLANS = [
    {"id": "free", "name": "Free"},
    CALLS | {"charges": [PRICE | {"id": "input"}]},
]
TAXES = [
    {"id": "de-vat", "name": "VAT", "country": "DE", "percent": "19"},
    {"id": "fr-vat", "name": "VAT", "country": "FR", "percent": "20", "inclusive": True},
]


@pytest.fixture(autouse=True)
async def rates(database: Database) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=PLANS, taxes=TAXES))


async def customer(database: Database, country: str = "DE", **grants: str) -> Tenant:
    """A customer of a prepaid plan with credit, by its kind."""
    tenant = await subscribed(database, "calls", is_sample=False)
    async with database.begin() as connection:
        await set_details(connection, tenant.id, BillingDetails(country=country))
        for kind, amount in grants.items():
            wanted = {"name": kind, "kind": kind, "amount": amount}
            await add_grant(connection, tenant.id, CreditGrantCreate.model_validate(wanted), MARCH)
    return tenant


async def call(database: Database, tenant: Tenant, name: str, units: int = 1_000_000) -> None:
    prepayment, at = Prepayment(database), MARCH + DAY
    most = {"input_tokens": Decimal(units)}
    await prepayment.reserve(tenant.id, name, "large", most, at)
    await prepayment.settle(tenant.id, name, "large", most, at, at)
    await count(database, [used(tenant, at, units)])


async def last_invoice(database: Database, tenant: Tenant, settings: Settings) -> Invoice:
    *_, row = await invoices_of(database, tenant)
    async with database.begin() as connection:
        return await find_invoice(connection, settings, tenant.id, str(row["id"]), NOW)


def sums(invoice: Invoice) -> dict[str, Any]:
    return {
        "lines": [(line.kind, str(line.amount.amount)) for line in invoice.lines],
        "taxes": [(str(tax.taxable.amount), str(tax.amount.amount)) for tax in invoice.taxes],
        "total": str(invoice.total.amount),
    }


async def test_tax_falls_on_calls_that_credit_paid_whose_sale_was_not_taxed(
    database: Database, settings: Settings
) -> None:
    tenant = await customer(database, paid="10")
    await call(database, tenant, "call")
    await run_invoices(database, settings, NOW)
    invoice = await last_invoice(database, tenant, settings)
    assert sums(invoice) == {
        "lines": [("charge", "0.59"), ("redeemed", "-0.59")],
        "taxes": [("0.59", "0.11")],
        "total": "0.11",
    }
    # What is left in the wallet pays the tax, as it does of any invoice
    assert [(str(paid.amount.amount), paid.method) for paid in invoice.payments] == [
        ("0.11", "credit")
    ]


async def test_credit_that_nobody_paid_for_is_taken_off_before_tax(
    database: Database, settings: Settings
) -> None:
    tenant = await customer(database, promotional="0.59", paid="0.59")
    await call(database, tenant, "given")
    await call(database, tenant, "bought")
    await run_invoices(database, settings, NOW)
    assert sums(await last_invoice(database, tenant, settings)) == {
        "lines": [("charge", "1.18"), ("prepaid", "-0.59"), ("redeemed", "-0.59")],
        "taxes": [("0.59", "0.11")],
        "total": "0.11",
    }


async def test_tax_within_prices_is_due_of_nobody_twice(
    database: Database, settings: Settings
) -> None:
    tenant = await customer(database, "FR", paid="10")
    await call(database, tenant, "call")
    await run_invoices(database, settings, NOW)
    invoice = await last_invoice(database, tenant, settings)
    assert (sums(invoice)["taxes"], sums(invoice)["total"]) == ([("0.49", "0.10")], "0.00")
    journal = await balances(database, tenant)
    assert journal["Accounts receivable"] == 0
    assert journal["Tax payable"] == Decimal("-0.10")
    assert journal["Revenue"] == Decimal("-0.49")


async def test_without_a_tax_a_period_that_credit_paid_takes_no_number(
    database: Database, settings: Settings
) -> None:
    tenant = await customer(database, "US", paid="10")
    await call(database, tenant, "call")
    await run_invoices(database, settings, NOW)
    assert await invoices_of(database, tenant) == []


async def test_what_was_taxed_in_part_is_not_taxed_again(
    database: Database, settings: Settings
) -> None:
    tenant = await customer(database, paid="0.59")
    async with database.begin() as connection:
        await set_terms(connection, tenant.id, BillingTerms(progressive_threshold=Decimal("0.50")))
    await call(database, tenant, "paid")
    await count(database, [used(tenant, MARCH + DAY, 1_000_000)])  # no credit paid for it
    async with database.begin() as connection:
        assert await bill_progress(connection, settings, tenant.id, MARCH + 2 * DAY)
    part = await last_invoice(database, tenant, settings)
    assert sums(part) == {
        "lines": [("charge", "1.18"), ("redeemed", "-0.59")],
        "taxes": [("1.18", "0.22")],
        "total": "0.81",
    }
    await count(database, [used(tenant, MARCH + 3 * DAY, 1_000_000)])
    await run_invoices(database, settings, NOW)
    closing = await last_invoice(database, tenant, settings)
    assert sums(closing) == {
        "lines": [
            ("charge", "1.77"),
            ("redeemed", "-0.59"),
            ("invoiced_before", "-1.18"),
            ("redeemed_before", "0.59"),
        ],
        "taxes": [("0.59", "0.11")],
        "total": "0.70",
    }
    # Late usage is compared with what both asked for
    await count(database, [used(tenant, MARCH + 4 * DAY, 1_000_000)])
    await run_invoices(database, settings, NOW + 30 * DAY)
    late = await last_invoice(database, tenant, settings)
    assert sums(late)["lines"] == [("charge", "0.59")]


async def test_a_credit_note_of_all_takes_back_the_tax_and_no_more(
    database: Database, settings: Settings
) -> None:
    tenant = await customer(database, paid="0.59")
    await call(database, tenant, "call")
    await run_invoices(database, settings, NOW)
    invoice = await last_invoice(database, tenant, settings)
    async with database.begin() as connection:
        wanted = CreditNoteCreate(reason="All of it")
        await credit(connection, settings, tenant, invoice.id, wanted, NOW)
    credited = await last_invoice(database, tenant, settings)
    [note] = credited.credit_notes
    assert (str(note.subtotal.amount), str(note.tax.amount), str(note.total.amount)) == (
        "0.00",
        "0.11",
        "0.11",
    )
    assert str(credited.due.amount) == "0.00"
    document = credit_note_document(credited, note)
    assert (document.net, document.gross, document.payable) == (
        Decimal("0.59"),
        Decimal("0.70"),
        Decimal("0.11"),
    )


async def test_files_and_platforms_show_the_credit_below_the_tax(
    database: Database, settings: Settings
) -> None:
    tenant = await customer(database, paid="0.59")
    await call(database, tenant, "call")
    await run_invoices(database, settings, NOW)
    invoice = as_printed(await last_invoice(database, tenant, settings))
    rows = list(csv.DictReader(io.StringIO(invoice_csv(invoice))))
    assert [(row["kind"], row["amount"]) for row in rows] == [
        ("charge", "0.59"),
        ("subtotal", "0.59"),
        ("tax", "0.11"),
        ("redeemed", "-0.59"),
        ("total", "0.11"),
    ]
    text = pypdfium2.PdfDocument(invoice_pdf(invoice))[0].get_textpage().get_text_range()
    assert text.index("VAT 19% on 0.59") < text.index("Paid from credit as it was used")
    standard = invoice_document(invoice)  # EN 16931 has it as what was paid already
    assert (standard.net, standard.gross, standard.paid, standard.payable) == (
        Decimal("0.59"),
        Decimal("0.70"),
        Decimal("0.59"),
        Decimal("0.11"),
    )
    async with database.begin() as connection:
        sent, _ = await platform_document(connection, tenant.id, invoice.id, "stripe")
    forms: list[Any] = [form.form for form in line_forms(sent)]
    taxes = [tax for form in forms for tax in form["tax_amounts"]]
    assert [form["amount"] for form in forms] == [59, -59]
    assert [(tax["taxable_amount"], tax["amount"]) for tax in taxes] == [(59, 11), (0, 0)]


async def test_the_journal_books_the_tax_and_the_revenue_once(
    database: Database, settings: Settings
) -> None:
    tenant = await customer(database, paid="10")
    await call(database, tenant, "call")
    await run_invoices(database, settings, NOW)
    journal = await balances(database, tenant)
    assert journal["Revenue"] == Decimal("-0.59")
    assert journal["Tax payable"] == Decimal("-0.11")
    assert journal["Accounts receivable"] == 0
    assert journal["Prepaid credit"] == Decimal("-9.30")  # 10.00 less the call and its tax


async def balances(database: Database, tenant: Tenant) -> dict[str, Decimal]:
    """Return what each account comes to over the year."""
    async with database.begin() as connection:
        first, last = date(2026, 3, 1), date(2026, 12, 1)
        entries, _ = await read_journal(connection, first, last, tenant=tenant.id)
    accounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        for line in entry.lines:
            accounts[line.account] += line.amount
    assert sum(accounts.values()) == 0
    return accounts
