"""Credit notes as documents of their own: in a list, on paper and as a table."""

from __future__ import annotations

import csv
import io

import pypdfium2
import pytest

from backend.catalog.published import apply_catalog
from backend.customers.profiles import set_details
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.paper.as_csv import credit_note_csv
from backend.invoices.paper.as_pdf import credit_note_pdf, print_credit_note
from backend.invoices.queries import find_invoice, list_credit_notes
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import BillingDetails, CreditNote, CreditNoteCreate, Invoice
from tests.support.billing import catalog_with
from tests.support.invoices import APRIL, GRACE, invoices_of, run_invoices

pytestmark = pytest.mark.engine

NOW = APRIL + GRACE
VAT = {"id": "de-vat", "name": "VAT", "country": "DE", "percent": "19"}
PART = {"reason": "An hour without service", "lines": [{"line": 1, "amount": "10.00"}]}


@pytest.fixture
async def credited(
    database: Database, tenant: Tenant, settings: Settings
) -> tuple[Invoice, list[CreditNote]]:
    """An invoice of 31.00 and 5.89 of tax, with a note of 10.00 and one of the tax that is left."""
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(taxes=[VAT]))
        await set_details(connection, tenant.id, BillingDetails(name="Buyer Ltd", country="DE"))
    await run_invoices(database, settings, NOW)
    [row] = await invoices_of(database, tenant)
    invoice_id = str(row["id"])
    for wanted in (PART, {"reason": "Not taxable", "tax_only": True}):
        async with database.begin() as connection:
            create = CreditNoteCreate.model_validate(wanted)
            await credit(connection, settings, tenant, invoice_id, create, NOW)
    async with database.begin() as connection:
        invoice = await find_invoice(connection, settings, tenant.id, invoice_id, NOW)
    return invoice, invoice.credit_notes


def text_of(pdf: bytes) -> str:
    """Return what is on the first page, without spaces: a line may break anywhere."""
    return "".join(pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_range().split())


async def test_a_credit_note_on_paper_names_its_invoice_and_adds_up(
    credited: tuple[Invoice, list[CreditNote]],
) -> None:
    invoice, [note, tax_alone] = credited
    text = text_of(credit_note_pdf(invoice, note))
    for part in (
        f"Credit note {note.number}",
        f"Credits invoice {invoice.number} of 2 Apr 2026.",
        "An hour without service",
        "Buyer Ltd",
        "Subtotal 10.00",
        "VAT 19% on 10.00 1.90",
        "11.90 USD",
    ):
        assert part.replace(" ", "") in text
    assert "Pleasepay" not in text
    assert "VAT19%on21.003.99" in text_of(credit_note_pdf(invoice, tax_alone))
    documents = (invoice.model_dump_json(), note.model_dump_json())
    assert print_credit_note(documents) == credit_note_pdf(invoice, note)


async def test_a_credit_note_as_a_table_has_what_is_credited(
    credited: tuple[Invoice, list[CreditNote]],
) -> None:
    invoice, [note, _] = credited
    rows = list(csv.DictReader(io.StringIO(credit_note_csv(invoice, note))))
    assert [(row["invoice"], row["kind"], row["amount"]) for row in rows] == [
        (note.number, "charge", "10.00"),
        (note.number, "subtotal", "10.00"),
        (note.number, "tax", "1.90"),
        (note.number, "total", "11.90"),
    ]


async def test_credit_notes_are_listed_newest_first_a_page_at_a_time(
    database: Database, tenant: Tenant, credited: tuple[Invoice, list[CreditNote]]
) -> None:
    invoice, notes = credited
    listed: list[CreditNote] = []
    cursor = None
    for _ in range(2):
        async with database.begin() as connection:
            page = await list_credit_notes(connection, tenant.id, cursor=cursor, limit=1)
        listed += page.items
        cursor = page.next_cursor
    assert cursor is None
    assert listed == sorted(notes, key=lambda note: note.id, reverse=True)
    assert {note.invoice_number for note in listed} == {invoice.number}
