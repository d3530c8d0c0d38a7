"""UBL 2.1: Peppol BIS Billing 3.0, and XRechnung 3.0. Pure.

The order of elements is that of OASIS's schemas; which are there is said by
https://docs.peppol.eu/poacc/billing/3.0 and by KoSIT's specification of XRechnung.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from backend.invoices.electronic.requirements import endpoint_of, is_vat_id
from backend.invoices.electronic.semantic import Category, Document, Line, Vat
from backend.invoices.electronic.xml import Writer
from backend_client.types.common import plain
from backend_client.types.invoices import EInvoiceFormat, Party, PartyLegal

_OASIS: Final = "urn:oasis:names:specification:ubl:schema:xsd:"
_PARTS: Final = {
    "cac": f"{_OASIS}CommonAggregateComponents-2",
    "cbc": f"{_OASIS}CommonBasicComponents-2",
}
_CUSTOMIZATION: Final = {
    EInvoiceFormat.PEPPOL: (
        "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
    ),
    EInvoiceFormat.XRECHNUNG: (
        "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
    ),
}
_PROFILE: Final = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
_INVOICE, _CREDIT_NOTE = "380", "381"
_CREDIT_TRANSFER, _NOT_DEFINED = "30", "1"
_PIECE: Final = "C62"
_NONE: Final = PartyLegal()


def ubl(document: Document, form: EInvoiceFormat) -> bytes:
    """Write a document that has what the form needs."""
    credit = document.preceding is not None
    kind = "CreditNote" if credit else "Invoice"
    root = Writer.root(f":{kind}", {"": f"{_OASIS}{kind}-2", **_PARTS})
    legal = document.buyer.legal or _NONE
    root.add("cbc:CustomizationID", _CUSTOMIZATION[form])
    root.add("cbc:ProfileID", _PROFILE)
    root.add("cbc:ID", document.number)
    root.add("cbc:IssueDate", document.issued_on)
    if not credit:
        root.add("cbc:DueDate", document.due_on)
    root.add(f"cbc:{kind}TypeCode", _CREDIT_NOTE if credit else _INVOICE)
    root.add("cbc:Note", " ".join(document.notes))
    root.add("cbc:DocumentCurrencyCode", document.currency)
    root.add("cbc:BuyerReference", legal.buyer_reference)
    period = root.group("cac:InvoicePeriod")
    period.add("cbc:StartDate", document.start)
    period.add("cbc:EndDate", document.end)
    if legal.order_reference is not None:
        root.group("cac:OrderReference").add("cbc:ID", legal.order_reference)
    if document.preceding is not None:
        reference = root.group("cac:BillingReference").group("cac:InvoiceDocumentReference")
        reference.add("cbc:ID", document.preceding.number)
        reference.add("cbc:IssueDate", document.preceding.issued_on)
    _party(root.group("cac:AccountingSupplierParty"), document, document.seller, form)
    _party(root.group("cac:AccountingCustomerParty"), document, document.buyer, form)
    _payment(root, document)
    _tax(root, document)
    _sums(root, document)
    for line in document.lines:
        _line(root, document, line, credit=credit)
    return root.written()


def _party(holder: Writer, document: Document, party: Party, form: EInvoiceFormat) -> None:
    legal = party.legal or _NONE
    seller = party is document.seller
    group = holder.group("cac:Party")
    if endpoint := endpoint_of(party, form):
        scheme, name = endpoint
        group.add("cbc:EndpointID", name, schemeID=scheme)
    group.group("cac:PartyName").add("cbc:Name", party.name)
    address = group.group("cac:PostalAddress")
    address.add("cbc:StreetName", legal.street or ", ".join(party.address))
    address.add("cbc:CityName", legal.city)
    address.add("cbc:PostalZone", legal.postal_code)
    address.add("cbc:CountrySubentity", party.region)
    address.group("cac:Country").add("cbc:IdentificationCode", party.country)
    # Outside the scope of VAT neither party may have a VAT id (BR-O-02)
    if party.tax_id is not None and document.vat.category is not Category.OUTSIDE:
        vat = is_vat_id(party.tax_id)
        if vat or seller:
            scheme_group = group.group("cac:PartyTaxScheme")
            scheme_group.add("cbc:CompanyID", party.tax_id)
            scheme_group.group("cac:TaxScheme").add("cbc:ID", "VAT" if vat else "TAX")
    entity = group.group("cac:PartyLegalEntity")
    entity.add("cbc:RegistrationName", party.name)
    entity.add("cbc:CompanyID", legal.registration_id)
    if legal.contact_name or legal.contact_phone or party.email:
        contact = group.group("cac:Contact")
        contact.add("cbc:Name", legal.contact_name)
        contact.add("cbc:Telephone", legal.contact_phone)
        contact.add("cbc:ElectronicMail", party.email)


def _payment(root: Writer, document: Document) -> None:
    account = (document.seller.legal or _NONE).bank_account
    means = root.group("cac:PaymentMeans")
    means.add("cbc:PaymentMeansCode", _CREDIT_TRANSFER if account else _NOT_DEFINED)
    means.add("cbc:PaymentID", document.number)
    if account is not None:
        means.group("cac:PayeeFinancialAccount").add("cbc:ID", account)
    if document.terms is not None:
        root.group("cac:PaymentTerms").add("cbc:Note", document.terms)


def _tax(root: Writer, document: Document) -> None:
    vat = document.vat
    total = root.group("cac:TaxTotal")
    _amount(total, "cbc:TaxAmount", vat.amount, document)
    subtotal = total.group("cac:TaxSubtotal")
    _amount(subtotal, "cbc:TaxableAmount", vat.taxable, document)
    _amount(subtotal, "cbc:TaxAmount", vat.amount, document)
    category = subtotal.group("cac:TaxCategory")
    _category(category, vat, reason=vat.reason)


def _category(group: Writer, vat: Vat, reason: str | None = None) -> None:
    group.add("cbc:ID", vat.category.value)
    if vat.category is not Category.OUTSIDE:
        group.add("cbc:Percent", plain(vat.percent))
    group.add("cbc:TaxExemptionReason", reason)
    group.group("cac:TaxScheme").add("cbc:ID", "VAT")


def _sums(root: Writer, document: Document) -> None:
    total = root.group("cac:LegalMonetaryTotal")
    _amount(total, "cbc:LineExtensionAmount", document.net, document)
    _amount(total, "cbc:TaxExclusiveAmount", document.net, document)
    _amount(total, "cbc:TaxInclusiveAmount", document.gross, document)
    if document.paid:
        _amount(total, "cbc:PrepaidAmount", document.paid, document)
    _amount(total, "cbc:PayableAmount", document.payable, document)


def _line(root: Writer, document: Document, line: Line, *, credit: bool) -> None:
    group = root.group("cac:CreditNoteLine" if credit else "cac:InvoiceLine")
    group.add("cbc:ID", line.number)
    quantity = "cbc:CreditedQuantity" if credit else "cbc:InvoicedQuantity"
    group.add(quantity, line.quantity, unitCode=_PIECE)
    _amount(group, "cbc:LineExtensionAmount", line.amount, document)
    if document.start <= line.start and line.end <= document.end:
        # A line's period has to be within the document's (PEPPOL-EN16931-R110)
        period = group.group("cac:InvoicePeriod")
        period.add("cbc:StartDate", line.start)
        period.add("cbc:EndDate", line.end)
    item = group.group("cac:Item")
    item.add("cbc:Description", line.description)
    item.add("cbc:Name", line.name)
    _category(item.group("cac:ClassifiedTaxCategory"), document.vat)
    _amount(group.group("cac:Price"), "cbc:PriceAmount", line.price, document)


def _amount(group: Writer, name: str, amount: Decimal, document: Document) -> None:
    group.add(name, two_decimals(amount), currencyID=document.currency)


def two_decimals(amount: Decimal) -> str:
    """Write an amount: whole ones of currencies without decimals, such as yen, have none."""
    return str(amount) if amount.as_tuple().exponent == 0 else f"{amount:.2f}"
