"""A customer gets its own e-invoices, the operator any; nobody another's."""

from __future__ import annotations

from decimal import Decimal

import pytest

from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.sessions.sessions import begin_session
from backend.catalog.published import apply_catalog
from backend.settings import Settings
from backend.storage.database import Database
from backend_client import AsyncFareboxClient, Conflict, InvalidInput, NotFound
from backend_client.types.accounts import Role, Tenant
from backend_client.types.invoices import (
    BillingDetails,
    BillingTerms,
    CreditNoteCreate,
    EInvoiceFormat,
    LegalDetails,
)
from tests.invoices.test_e_invoices import LEGAL, SELLER
from tests.support.billing import catalog_with
from tests.support.e_invoices import invalid_by_schema
from tests.support.invoices import APRIL, GRACE, MAY, run_invoices, subscribed

pytestmark = pytest.mark.engine


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    changes = {
        "seller_name": SELLER.name,
        "seller_email": SELLER.email,
        "seller_country": SELLER.country,
        "seller_tax_id": SELLER.tax_id,
        "seller_legal": LEGAL,
    }
    return api_settings.model_copy(update=changes)


async def client_of(url: str, database: Database, tenant: Tenant) -> AsyncFareboxClient:
    async with database.begin() as connection:
        user = await upsert_user(
            connection, issuer="test", subject=tenant.id, name="One", email="one@mail.example"
        )
        await add_member(connection, tenant.id, user, Role.OWNER)
        session = await begin_session(connection, user, tenant.id, seconds=600)
    return AsyncFareboxClient(url, session.token)


async def test_whose_e_invoices_one_gets(
    url: str, database: Database, api_settings: Settings, operator: dict[str, str]
) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with())
    tenant = await subscribed(database)
    stranger = await subscribed(database)
    secret = operator["authorization"].removeprefix("Bearer ")
    async with (
        await client_of(url, database, tenant) as person,
        await client_of(url, database, stranger) as other,
        AsyncFareboxClient(url, secret) as seller,
    ):
        await seller.billing_terms.update(
            BillingTerms(tax_name="VAT", tax_percent=Decimal(19)), tenant=tenant.id
        )
        await run_invoices(database, api_settings, APRIL + GRACE)
        [_, invoice] = await person.invoices.list().all()
        with pytest.raises(InvalidInput) as refused:
            await person.invoices.e_invoice(invoice.id, format=EInvoiceFormat.PEPPOL)
        assert {error.field for error in refused.value.errors} == {
            *("customer.country", "customer.legal.endpoint", "customer.legal.buyer_reference"),
        }
        legal = LegalDetails.model_validate(LEGAL.model_dump(exclude={"bank_account"}))
        details = BillingDetails(country="DE", legal=legal)
        assert await person.billing_details.update(details) == details
        await run_invoices(database, api_settings, MAY + GRACE)
        [draft, invoice, _] = await person.invoices.list().all()
        files = {
            form: await person.invoices.e_invoice(invoice.id, format=form)
            for form in EInvoiceFormat
        }
        for form, content in files.items():
            if form is EInvoiceFormat.FACTUR_X:
                assert content.startswith(b"%PDF-1.7")
            else:
                assert invalid_by_schema(content) == []
            named = await seller.invoices.e_invoice(invoice.id, format=form, tenant=tenant.slug)
            assert named == content
        note = await seller.invoices.create_credit_note(
            invoice.id, CreditNoteCreate(reason="Goodwill"), tenant=tenant.id
        )
        for form in (EInvoiceFormat.PEPPOL, EInvoiceFormat.CII):
            written = await person.invoices.credit_note_e_invoice(invoice.id, note.id, format=form)
            assert invalid_by_schema(written) == []
            again = await seller.invoices.credit_note_e_invoice(
                invoice.id, note.id, format=form, tenant=tenant.id
            )
            assert again == written
        pdf = EInvoiceFormat.FACTUR_X
        with pytest.raises(Conflict, match="no PDF"):
            await person.invoices.credit_note_e_invoice(invoice.id, note.id, format=pdf)
        with pytest.raises(NotFound):
            await person.invoices.credit_note_e_invoice(invoice.id, "crn_none", format=form)
        with pytest.raises(Conflict, match="draft"):
            await person.invoices.e_invoice(draft.id, format=form)
        with pytest.raises(NotFound):
            await other.invoices.e_invoice(invoice.id, format=form)
        with pytest.raises(NotFound):
            await other.invoices.credit_note_e_invoice(invoice.id, note.id, format=form)
