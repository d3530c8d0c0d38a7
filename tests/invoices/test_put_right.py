"""What was invoiced or credited wrongly is put right by a further document, and none is changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.accounting.queries import read_journal
from backend.accounting.rules.journals import Journal
from backend.catalog.published import apply_catalog
from backend.customers.profiles import set_details, set_terms
from backend.errors import Conflict, InvalidInput
from backend.ids import new_id
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.reversals import reverse_credit_note
from backend.invoices.corrections.voiding import void
from backend.invoices.electronic.building import credit_note_document
from backend.invoices.errors import EInvoiceNotExpressible
from backend.invoices.issuing.one_off import issue_one_off
from backend.invoices.payments.applying import account_balance
from backend.invoices.queries import find_invoice
from backend.invoices.runs.finalizing import bill_progress
from backend.invoices.settling import record_payment
from backend.settings import Settings
from backend.storage.database import Database
from backend.wallets.grants import add_grant
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    BillingDetails,
    BillingTerms,
    CreditNoteCreate,
    CreditNoteReversal,
    Invoice,
    OneOffInvoiceCreate,
    PaymentRecord,
    VoidInvoice,
)
from backend_client.types.wallets import CreditGrantCreate
from tests.support.billing import catalog_with
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    count,
    invoices_of,
    run_invoices,
    used,
)

pytestmark = pytest.mark.engine

NOW = APRIL + GRACE
DAY = timedelta(days=1)
TAXES = [
    {"id": "de-vat", "name": "VAT", "country": "DE", "percent": "19"},
    {"id": "fr-vat", "name": "VAT", "country": "FR", "percent": "20", "inclusive": True},
]
SET_UP = OneOffInvoiceCreate.model_validate(
    {
        "lines": [
            {"name": "Set-up", "quantity": "1.5", "unit_price": "99.99"},
            {"name": "Less, as agreed", "unit_price": "-50"},
        ],
        "net_days": 7,
    }
)


@pytest.fixture
def settings() -> Settings:
    return Settings(seller_name="Sample seller", seller_country="DE")


@pytest.fixture(autouse=True)
async def rates(database: Database) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(taxes=TAXES))


async def invoice_of(
    database: Database, settings: Settings, tenant: Tenant, invoice_id: str
) -> Invoice:
    async with database.begin() as connection:
        return await find_invoice(connection, settings, tenant.id, invoice_id, NOW)


async def first_invoice(database: Database, settings: Settings, tenant: Tenant) -> Invoice:
    """The invoice of March: a fee of 31.00, taxed as in the seller's country."""
    await run_invoices(database, settings, NOW)
    *_, row = await invoices_of(database, tenant)
    return await invoice_of(database, settings, tenant, str(row["id"]))


async def make_void(
    database: Database, settings: Settings, tenant: Tenant, invoice: Invoice, **wanted: Any
) -> Invoice:
    async with database.begin() as connection:
        returned = await void(
            connection,
            settings,
            tenant,
            invoice.id,
            VoidInvoice(reason="Wrong", **wanted),
            NOW,
        )
    return await invoice_of(database, settings, tenant, returned)


def taxes(invoice: Invoice) -> list[tuple[str, str]]:
    return [(str(tax.taxable.amount), str(tax.amount.amount)) for tax in invoice.taxes]


async def test_a_reissue_asks_the_tax_anew_with_the_customers_present_details(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    wrong = await first_invoice(database, settings, tenant)
    assert (taxes(wrong), str(wrong.total.amount)) == ([("31.00", "5.89")], "36.89")
    async with database.begin() as connection:
        await set_details(connection, tenant.id, BillingDetails(country="US"))
    right = await make_void(database, settings, tenant, wrong, reissue=True, tax="again")
    assert (right.taxes, str(right.total.amount)) == ([], "31.00")
    assert (right.customer.country, right.replaces) == ("US", wrong.id)
    again = await make_void(database, settings, tenant, wrong, reissue=True, tax="again")
    assert again.id == right.id
    assert len(await invoices_of(database, tenant)) == 2


async def test_a_reissue_keeps_its_taxes_unless_it_is_said_otherwise(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    wrong = await first_invoice(database, settings, tenant)
    async with database.begin() as connection:
        await set_details(connection, tenant.id, BillingDetails(country="US"))
    same = await make_void(database, settings, tenant, wrong, reissue=True)
    assert taxes(same) == taxes(wrong)


async def test_what_is_to_be_billed_again_is_in_the_next_invoice_once(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    wrong = await first_invoice(database, settings, tenant)
    await count(database, [used(tenant, MARCH + DAY, 10_000_000)])  # 1.50, not invoiced yet
    for _ in range(2):
        await make_void(database, settings, tenant, wrong, bill_again=True)
    await run_invoices(database, settings, MAY + GRACE)
    *_, row = await invoices_of(database, tenant)
    following = await invoice_of(database, settings, tenant, str(row["id"]))
    late = [(line.name, str(line.amount.amount)) for line in following.lines if line.late]
    assert late == [("Fee", "31.00"), ("Input", "1.50")]
    assert str(following.subtotal.amount) == "63.50"
    void_now = await invoice_of(database, settings, tenant, wrong.id)
    assert void_now.replaced_by == following.id
    await run_invoices(database, settings, MAY + 31 * DAY + GRACE)
    *_, row = await invoices_of(database, tenant)
    assert str(row["subtotal"]) == "31.00"  # and not again after that


async def test_a_part_of_a_running_period_is_billed_again_when_it_closes(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    async with database.begin() as connection:
        terms = BillingTerms(progressive_threshold=Decimal(10))
        await set_terms(connection, tenant.id, terms)
        part_id = await bill_progress(connection, settings, tenant.id, MARCH + 20 * DAY)
    assert part_id is not None
    part = await invoice_of(database, settings, tenant, part_id)
    await make_void(database, settings, tenant, part, bill_again=True)
    closing = await first_invoice(database, settings, tenant)
    assert [line.kind for line in closing.lines if line.kind != "charge"] == []
    assert str(closing.subtotal.amount) == "31.00"


async def test_what_was_invoiced_in_part_is_not_billed_again(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    async with database.begin() as connection:
        terms = BillingTerms(progressive_threshold=Decimal(10))
        await set_terms(connection, tenant.id, terms)
        assert await bill_progress(connection, settings, tenant.id, MARCH + 20 * DAY)
    await count(database, [used(tenant, MARCH + 21 * DAY, 10_000_000)])
    closing = await first_invoice(database, settings, tenant)
    one_off = await issue(database, settings, tenant, SET_UP)
    for refused in (closing, one_off):
        with pytest.raises(Conflict, match="issue it again"):
            await make_void(database, settings, tenant, refused, bill_again=True)
        unchanged = await invoice_of(database, settings, tenant, refused.id)
        assert unchanged.state == "finalized"


async def issue(
    database: Database,
    settings: Settings,
    tenant: Tenant,
    wanted: OneOffInvoiceCreate,
    key: str | None = None,
) -> Invoice:
    async with database.begin() as connection:
        issued = await issue_one_off(
            connection, settings, tenant, new_id("inv"), wanted, NOW, idempotency_key=key
        )
    return await invoice_of(database, settings, tenant, issued)


async def test_a_one_off_invoice_is_taxed_and_due_as_any_other(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    async with database.begin() as connection:
        given = {"name": "For calls", "kind": "paid", "amount": "500"}
        await add_grant(connection, tenant.id, CreditGrantCreate.model_validate(given), NOW)
    invoice = await issue(database, settings, tenant, SET_UP, "once")
    assert [(line.name, str(line.amount.amount)) for line in invoice.lines] == [
        ("Set-up", "149.99"),  # 149.985, rounded once
        ("Less, as agreed", "-50.00"),
    ]
    assert (taxes(invoice), str(invoice.due.amount)) == ([("99.99", "19.00")], "118.99")
    assert invoice.due_at == NOW + 7 * DAY
    assert invoice.payments == []  # credit is for usage
    repeated = await issue(database, settings, tenant, SET_UP, "once")
    assert repeated.id == invoice.id
    # It is beside the billing of periods: March is invoiced as ever
    march = await first_invoice(database, settings, tenant)
    assert [line.kind for line in march.lines] == ["charge"]


async def test_a_one_off_invoice_asks_for_something(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    free = OneOffInvoiceCreate.model_validate({"lines": [{"name": "Free", "unit_price": "0.001"}]})
    with pytest.raises(InvalidInput, match="come to nothing"):
        await issue(database, settings, tenant, free)
    assert await invoices_of(database, tenant) == []


async def note(
    database: Database, settings: Settings, tenant: Tenant, invoice: Invoice, **wanted: Any
) -> str:
    async with database.begin() as connection:
        create = CreditNoteCreate.model_validate({"reason": "Wrong", **wanted})
        return await credit(connection, settings, tenant, invoice.id, create, NOW)


async def test_tax_alone_is_credited_and_the_lines_later_without_it(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    invoice = await first_invoice(database, settings, tenant)
    part: Sequence[dict[str, object]] = [{"line": 1, "amount": "1.00"}]
    await note(database, settings, tenant, invoice, lines=part)
    await note(database, settings, tenant, invoice, tax_only=True)
    with pytest.raises(InvalidInput, match="no tax left"):
        await note(database, settings, tenant, invoice, tax_only=True)
    await note(database, settings, tenant, invoice, lines=part)
    await note(database, settings, tenant, invoice)
    credited = await invoice_of(database, settings, tenant, invoice.id)
    assert [
        (str(each.subtotal.amount), str(each.tax.amount)) for each in credited.credit_notes
    ] == [("1.00", "0.19"), ("0.00", "5.70"), ("1.00", "0.00"), ("29.00", "0.00")]
    assert credited.state == "paid"
    with pytest.raises(EInvoiceNotExpressible):
        credit_note_document(credited, credited.credit_notes[1])


async def test_tax_within_prices_is_not_credited_alone(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    async with database.begin() as connection:
        await set_details(connection, tenant.id, BillingDetails(country="FR"))
    invoice = await first_invoice(database, settings, tenant)
    with pytest.raises(InvalidInput, match="no tax left on top"):
        await note(database, settings, tenant, invoice, tax_only=True)


@pytest.mark.parametrize(
    "wanted", [{}, {"tax_only": True}, {"lines": [{"line": 1, "amount": "7"}]}]
)
async def test_a_wrong_credit_note_is_taken_back_to_the_cent_once(
    database: Database, tenant: Tenant, settings: Settings, wanted: dict[str, object]
) -> None:
    invoice = await first_invoice(database, settings, tenant)
    async with database.begin() as connection:
        received = PaymentRecord(amount=Decimal("36.89"), method="transfer", reference="1")
        await record_payment(connection, tenant.id, invoice.id, received, NOW)
    note_id = await note(database, settings, tenant, invoice, **wanted)
    reversals = set()
    for _ in range(2):
        async with database.begin() as connection:
            reversals.add(
                await reverse_credit_note(
                    connection,
                    settings,
                    tenant,
                    note_id,
                    CreditNoteReversal(reason="It was right"),
                    NOW,
                )
            )
    [reversal_id] = reversals
    reversal = await invoice_of(database, settings, tenant, reversal_id)
    credited = (await invoice_of(database, settings, tenant, invoice.id)).credit_notes[0]
    assert reversal.total == credited.total
    assert [tax.amount for tax in reversal.taxes] == [tax.amount for tax in credited.taxes]
    assert reversal.reverses == note_id
    # What the note had put on the balance has paid it
    assert (reversal.state, [paid.method for paid in reversal.payments]) == ("paid", ["balance"])
    async with database.begin() as connection:
        assert (await account_balance(connection, tenant, NOW)).balance.amount == 0


async def test_a_reversal_that_is_issued_again_keeps_the_tax_of_its_credit_note(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    """Its lines have no price of their own that a rate or a tax service could be asked about."""
    invoice = await first_invoice(database, settings, tenant)
    note_id = await note(database, settings, tenant, invoice)
    wanted = CreditNoteReversal(reason="It was right")
    async with database.begin() as connection:
        reversal_id = await reverse_credit_note(connection, settings, tenant, note_id, wanted, NOW)
    again = VoidInvoice(reason="Wrong name", reissue=True, tax="again")
    with pytest.raises(InvalidInput) as refused:
        async with database.begin() as connection:
            await void(connection, settings, tenant, reversal_id, again, NOW)
    assert [error.field for error in refused.value.errors] == ["tax"]
    assert (await invoice_of(database, settings, tenant, reversal_id)).state == "finalized"
    kept = again.model_copy(update={"tax": "same"})
    async with database.begin() as connection:
        new_id = await void(connection, settings, tenant, reversal_id, kept, NOW)
    first = await invoice_of(database, settings, tenant, reversal_id)
    assert (await invoice_of(database, settings, tenant, new_id)).taxes == first.taxes


async def test_a_reversal_that_was_waived_is_not_made_twice(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    invoice = await first_invoice(database, settings, tenant)
    note_id = await note(database, settings, tenant, invoice)
    wanted = CreditNoteReversal(reason="It was right")
    async with database.begin() as connection:
        reversal_id = await reverse_credit_note(connection, settings, tenant, note_id, wanted, NOW)
    reversal = await invoice_of(database, settings, tenant, reversal_id)
    await make_void(database, settings, tenant, reversal)
    with pytest.raises(Conflict, match="waived"):
        async with database.begin() as connection:
            await reverse_credit_note(connection, settings, tenant, note_id, wanted, NOW)


async def test_what_is_put_right_later_changes_no_month_of_the_books_before_its_own(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    invoice = await first_invoice(database, settings, tenant)

    async def march() -> list[Journal]:
        async with database.begin() as connection:
            entries, _ = await read_journal(connection, MARCH.date(), None, tenant=tenant.id)
        return entries

    before = await march()
    note_id = await note(database, settings, tenant, invoice)
    async with database.begin() as connection:
        wanted = CreditNoteReversal(reason="It was right")
        await reverse_credit_note(connection, settings, tenant, note_id, wanted, MAY)
    await issue(database, settings, tenant, SET_UP)
    assert await march() == before
