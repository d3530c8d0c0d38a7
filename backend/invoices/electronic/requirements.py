"""What each form needs of seller and buyer; what is missing is named, and where it is set. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from backend.invoices.electronic.semantic import Category, Document
from backend.invoices.errors import EInvoiceDataMissing
from backend_client.types.invoices import EInvoiceFormat, Party, PartyLegal
from backend_client.types.problems import FieldError

_NONE: Final = PartyLegal()
_CONTACT: Final = ("contact_name", "contact_phone")


def check_requirements(document: Document, form: EInvoiceFormat) -> None:
    """Raise ``InvalidInput`` that names every field which the form needs and does not have."""
    missing = [
        *(_of_seller(field) for field in _seller_lacks(document, form)),
        *(_of_buyer(field) for field in _buyer_lacks(document, form)),
    ]
    if missing:
        names = ", ".join(error.field for error in missing)
        raise EInvoiceDataMissing(
            f"An e-invoice in the form {form.value} needs {names}.", errors=missing
        )


def endpoint_of(party: Party, form: EInvoiceFormat) -> tuple[str, str] | None:
    """Return a party's electronic address: its scheme and id; by e-mail where that is allowed."""
    legal = party.legal or _NONE
    if legal.endpoint_scheme is not None and legal.endpoint is not None:
        return legal.endpoint_scheme, legal.endpoint
    if form is not EInvoiceFormat.PEPPOL and party.email is not None:
        return "EM", party.email
    return None


def is_vat_id(tax_id: str) -> bool:
    """Return whether a tax id is a VAT id, which begins with its country (BR-CO-09)."""
    return len(tax_id) > 2 and tax_id[:2].isascii() and tax_id[:2].isalpha()


def _seller_lacks(document: Document, form: EInvoiceFormat) -> Iterator[str]:
    seller = document.seller
    legal = seller.legal or _NONE
    if seller.country is None:
        yield "country"
    category = document.vat.category
    shifted = category is Category.REVERSE_CHARGE
    if category is not Category.OUTSIDE and (
        seller.tax_id is None or (shifted and not is_vat_id(seller.tax_id))
    ):
        yield "tax_id"
    if category is Category.OUTSIDE and legal.registration_id is None:
        yield "legal.registration_id"  # without a VAT id, something else has to identify it
    if form in (EInvoiceFormat.PEPPOL, EInvoiceFormat.XRECHNUNG) and not endpoint_of(seller, form):
        yield "legal.endpoint"
    if form is EInvoiceFormat.XRECHNUNG:
        yield from (f"legal.{name}" for name in ("city", "postal_code") if not _has(legal, name))
        yield from (f"legal.{name}" for name in _CONTACT if not _has(legal, name))
        if seller.email is None:
            yield "email"


def _buyer_lacks(document: Document, form: EInvoiceFormat) -> Iterator[str]:
    buyer = document.buyer
    legal = buyer.legal or _NONE
    if buyer.country is None:
        yield "country"
    if document.vat.category is Category.REVERSE_CHARGE and not is_vat_id(buyer.tax_id or ""):
        yield "tax_id"
    if form in (EInvoiceFormat.PEPPOL, EInvoiceFormat.XRECHNUNG) and not endpoint_of(buyer, form):
        yield "legal.endpoint"
    if form is EInvoiceFormat.XRECHNUNG:
        yield from (f"legal.{name}" for name in ("city", "postal_code") if not _has(legal, name))
        if legal.buyer_reference is None:
            yield "legal.buyer_reference"
    elif form is EInvoiceFormat.PEPPOL and not (legal.buyer_reference or legal.order_reference):
        yield "legal.buyer_reference"


def _has(legal: PartyLegal, name: str) -> bool:
    return getattr(legal, name) is not None


def _of_seller(field: str) -> FieldError:
    within = field.removeprefix("legal.")
    setting = "FAREBOX_SELLER_LEGAL" if within != field else f"FAREBOX_SELLER_{field.upper()}"
    detail = f"is set in {setting}" + (f" as {within!r}" if within != field else "")
    return FieldError(field=f"seller.{field}", detail=detail)


def _of_buyer(field: str) -> FieldError:
    return FieldError(field=f"customer.{field}", detail=f"is {field!r} of the billing details")
