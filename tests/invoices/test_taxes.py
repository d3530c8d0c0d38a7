"""Invoices taxed by the catalog's rates: chosen, printed, credited, and issued again."""

from __future__ import annotations

import csv
import io
from contextlib import closing
from datetime import date
from decimal import Decimal
from typing import Any

import pypdfium2
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backend.catalog.published import apply_catalog
from backend.customers.profiles import set_details, set_terms
from backend.errors import Conflict
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.voiding import void
from backend.invoices.paper.as_csv import invoice_csv
from backend.invoices.paper.as_pdf import invoice_pdf
from backend.invoices.queries import as_printed, find_invoice, list_invoices
from backend.invoices.runs.finalizing import bill_progress
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    BillingDetails,
    BillingTerms,
    CreditNoteCreate,
    Invoice,
    VoidInvoice,
)
from tests.support.billing import catalog_with
from tests.support.examples import examples
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
TAXES: list[dict[str, Any]] = [
    {"id": "de-vat", "name": "VAT", "country": "DE", "percent": "19", "reverse_charge": True},
    {"id": "fr-vat", "name": "VAT", "country": "FR", "percent": "20", "inclusive": True},
    {"id": "ca-gst", "name": "GST", "country": "CA", "percent": "5"},
    {"id": "ca-qst", "name": "QST", "country": "CA", "region": "QC", "percent": "9.975"},
    {
        "id": "jp-old",
        "name": "JCT",
        "country": "JP",
        "percent": "8",
        "valid_until": "2026-03-30",
    },
    {"id": "jp-new", "name": "JCT", "country": "JP", "percent": "10", "valid_from": "2026-03-31"},
]


@pytest.fixture
def settings() -> Settings:
    return Settings(seller_name="Sample seller", seller_country="AT", seller_tax_id="ATU00000000")


@pytest.fixture(autouse=True)
async def rates(database: Database) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(taxes=TAXES))


async def details(database: Database, tenant: Tenant, **fields: Any) -> None:
    async with database.begin() as connection:
        await set_details(connection, tenant.id, BillingDetails(**fields))


async def billed(database: Database, tenant: Tenant, settings: Settings) -> Invoice:
    """31.00 and 0.19 before tax."""
    await count(database, [used(tenant, MARCH, 1_234_567)])
    await run_invoices(database, settings, NOW)
    *_, row = await invoices_of(database, tenant)
    return await read(database, tenant, settings, str(row["id"]))


async def read(database: Database, tenant: Tenant, settings: Settings, invoice_id: str) -> Invoice:
    async with database.begin() as connection:
        return await find_invoice(connection, settings, tenant.id, invoice_id, NOW)


def told(invoice: Invoice) -> list[tuple[str, str, str, str]]:
    return [
        (tax.name, str(tax.percent), str(tax.taxable.amount), str(tax.amount.amount))
        for tax in invoice.taxes
    ]


def printed(invoice: Invoice) -> str:
    with closing(pypdfium2.PdfDocument(invoice_pdf(as_printed(invoice)))) as document:
        return str(document[0].get_textpage().get_text_bounded())


def table(invoice: Invoice) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(invoice_csv(as_printed(invoice)))))


async def test_a_federal_and_a_provincial_tax(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await details(database, tenant, country="CA", region="QC", address=["1 Street"])
    invoice = await billed(database, tenant, settings)
    # 1.5595 and 3.1112025, each rounded once
    assert told(invoice) == [("GST", "5", "31.19", "1.56"), ("QST", "9.975", "31.19", "3.11")]
    assert [tax.rate_id for tax in invoice.taxes] == ["ca-gst", "ca-qst"]
    assert (str(invoice.total.amount), invoice.tax_notes) == ("35.86", [])
    assert (invoice.tax_date, invoice.tax_known) == (date(2026, 3, 31), True)
    page = printed(invoice)
    for words in ("GST 5% on 31.19", "QST 9.975% on 31.19", "1.56", "3.11", "35.86", "CA-QC"):
        assert words in page, words
    rows = [row for row in table(invoice) if row["kind"] == "tax"]
    columns = ("name", "tax_percent", "taxable", "amount", "currency")
    assert [[row[name] for name in columns] for row in rows] == [
        ["GST 5%", "5", "31.19", "1.56", "USD"],
        ["QST 9.975%", "9.975", "31.19", "3.11", "USD"],
    ]


async def test_tax_within_prices(database: Database, tenant: Tenant, settings: Settings) -> None:
    await details(database, tenant, country="FR")
    invoice = await billed(database, tenant, settings)
    assert told(invoice) == [("VAT", "20", "25.99", "5.20")]
    assert (invoice.taxes[0].inclusive, invoice.total) == (True, invoice.subtotal)
    assert "of which VAT 20% on 25.99" in printed(invoice)


async def test_the_rate_of_the_periods_last_day_holds(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await details(database, tenant, country="JP")
    async with database.begin() as connection:
        await set_terms(connection, tenant.id, BillingTerms(progressive_threshold=Decimal(1)))
        part = await bill_progress(connection, settings, tenant.id, MARCH + GRACE)
    assert part is not None
    first = await read(database, tenant, settings, part)
    assert (first.tax_date, told(first)) == (
        date(2026, 3, 2),
        [("JCT", "8", "31.00", "2.48")],
    )
    whole = await billed(database, tenant, settings)
    assert told(whole) == [("JCT", "10", "0.19", "0.02")]


async def test_a_business_abroad_pays_none_and_is_told(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await details(database, tenant, country="DE", business=True, tax_id="DE123456788")
    invoice = await billed(database, tenant, settings)
    words = "Reverse charge: the customer accounts for VAT in DE."
    assert (invoice.taxes, invoice.tax_notes) == ([], [words])
    assert invoice.total == invoice.subtotal
    page = printed(invoice)
    for printed_words in (words, "Tax ID DE123456788", "Tax ID ATU00000000", "Austria"):
        assert printed_words in page, printed_words
    assert [row["name"] for row in table(invoice) if row["kind"] == "tax_note"] == [words]


@pytest.mark.parametrize(
    ("fields", "tax"),
    [
        ({"country": "DE", "business": True}, "5.93"),  # no tax id
        ({"country": "DE", "tax_id": "DE123456788"}, "5.93"),  # no business
    ],
)
async def test_reverse_charge_is_for_a_business_with_a_tax_id(
    database: Database, tenant: Tenant, settings: Settings, fields: dict[str, Any], tax: str
) -> None:
    await details(database, tenant, **fields)
    assert told(await billed(database, tenant, settings)) == [("VAT", "19", "31.19", tax)]


async def test_an_exempt_customer_is_told_why(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await details(database, tenant, country="DE")
    async with database.begin() as connection:
        terms = BillingTerms(tax_exemption="a university, certificate 12")
        await set_terms(connection, tenant.id, terms)
    invoice = await billed(database, tenant, settings)
    words = "Exempt from tax: a university, certificate 12"
    assert (invoice.taxes, invoice.tax_notes) == ([], [words])
    assert words in printed(invoice)


async def test_what_was_agreed_is_the_only_tax(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await details(database, tenant, country="CA", region="QC")
    async with database.begin() as connection:
        await set_terms(connection, tenant.id, BillingTerms(tax_name="Duty", tax_percent=1))
    assert told(await billed(database, tenant, settings)) == [("Duty", "1", "31.19", "0.31")]


async def test_no_rate_is_no_tax_and_said_so(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    """Here the seller's own country has none, which is that of who did not say where it is."""
    invoice = await billed(database, tenant, settings)
    words = "No tax is charged: no rate is set for customers in AT."
    assert (invoice.taxes, invoice.tax_notes) == ([], [words])
    assert words in printed(invoice)


async def test_a_draft_shows_the_tax_that_it_will_have(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await details(database, tenant, country="CA", region="QC")
    async with database.begin() as connection:
        [draft] = (
            await list_invoices(connection, settings, tenant.id, NOW, cursor=None, limit=5)
        ).items
    assert str(draft.total.amount) == "35.64"  # 31.00, 1.55, 3.09
    whole = await read(database, tenant, settings, draft.id)
    assert told(whole) == [("GST", "5", "31.00", "1.55"), ("QST", "9.975", "31.00", "3.09")]
    assert whole.total == draft.total


async def test_issued_again_it_keeps_its_tax(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await details(database, tenant, country="DE", business=True, tax_id="DE123456788")
    old = await billed(database, tenant, settings)
    await details(database, tenant, country="CA", region="QC")
    async with database.begin() as connection:
        wanted = VoidInvoice(reason="wrong name", reissue=True)
        new_id = await void(connection, settings, tenant, old.id, wanted, NOW)
    new = await read(database, tenant, settings, new_id)
    assert (new.taxes, new.tax_notes, new.tax_date) == (old.taxes, old.tax_notes, old.tax_date)
    assert (new.total, new.customer.country) == (old.total, "CA")


@hypothesis_settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    place=st.sampled_from([("FR", None), ("CA", "QC"), ("DE", None)]),
    cuts=st.lists(st.decimals("0.01", "31", places=2), max_size=4),
)
async def test_credit_notes_take_back_all_of_each_tax(
    database: Database,
    settings: Settings,
    place: tuple[str, str | None],
    cuts: list[Decimal],
) -> None:
    tenant = await subscribed(database)
    await details(database, tenant, country=place[0], region=place[1])
    invoice = await billed(database, tenant, settings)
    left = Decimal("31.00")
    wanted = []
    for cut in cuts:
        amount = min(cut, left)
        if amount:
            wanted.append([{"line": 1, "amount": amount}])
            left -= amount
    for lines in [*wanted, []]:  # at last all that is left
        async with database.begin() as connection:
            note = CreditNoteCreate.model_validate({"reason": "slow", "lines": lines})
            await credit(connection, settings, tenant, invoice.id, note, NOW)
    after = await read(database, tenant, settings, invoice.id)
    notes = after.credit_notes
    assert sum(note.total.amount for note in notes) == invoice.total.amount
    for index, tax in enumerate(invoice.taxes):
        parts = [note.taxes[index] for note in notes]
        assert sum(part.amount.amount for part in parts) == tax.amount.amount
        assert sum(part.taxable.amount for part in parts) == tax.taxable.amount
        assert all(part.amount.amount >= 0 for part in parts)
    for note in notes:
        on_top = sum(tax.amount.amount for tax in note.taxes if not tax.inclusive)
        within = sum(tax.amount.amount for tax in note.taxes if tax.inclusive)
        assert note.tax.amount == on_top
        assert all(tax.taxable.amount == note.subtotal.amount - within for tax in note.taxes)
    with pytest.raises(Conflict):
        async with database.begin() as connection:
            await credit(
                connection, settings, tenant, invoice.id, CreditNoteCreate(reason="slow"), NOW
            )
