"""UN/CEFACT's Cross Industry Invoice: the XML of Factur-X and ZUGFeRD, profile EN 16931. Pure.

The order of elements is that of the schemas which FNFE-MPE and FeRD publish with Factur-X 1.0.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from backend.invoices.electronic.requirements import endpoint_of, is_vat_id
from backend.invoices.electronic.semantic import Category, Document, Line, Vat
from backend.invoices.electronic.ubl import two_decimals
from backend.invoices.electronic.xml import Writer
from backend_client.types.common import plain
from backend_client.types.invoices import EInvoiceFormat, Party, PartyLegal

_UNECE: Final = "urn:un:unece:uncefact:data:standard:"
_NAMESPACES: Final = {
    "rsm": f"{_UNECE}CrossIndustryInvoice:100",
    "ram": f"{_UNECE}ReusableAggregateBusinessInformationEntity:100",
    "udt": f"{_UNECE}UnqualifiedDataType:100",
}
_GUIDELINE: Final = "urn:cen.eu:en16931:2017"
_INVOICE, _CREDIT_NOTE = "380", "381"
_CREDIT_TRANSFER, _NOT_DEFINED = "30", "1"
_PIECE: Final = "C62"
_NONE: Final = PartyLegal()


def cii(document: Document) -> bytes:
    """Write a document that has what the form needs."""
    root = Writer.root("rsm:CrossIndustryInvoice", _NAMESPACES)
    context = root.group("rsm:ExchangedDocumentContext")
    context.group("ram:GuidelineSpecifiedDocumentContextParameter").add("ram:ID", _GUIDELINE)
    head = root.group("rsm:ExchangedDocument")
    head.add("ram:ID", document.number)
    head.add("ram:TypeCode", _INVOICE if document.preceding is None else _CREDIT_NOTE)
    _date(head.group("ram:IssueDateTime"), document.issued_on)
    for note in document.notes:
        head.group("ram:IncludedNote").add("ram:Content", note)
    trade = root.group("rsm:SupplyChainTradeTransaction")
    for line in document.lines:
        _line(trade, document, line)
    _agreement(trade, document)
    trade.group("ram:ApplicableHeaderTradeDelivery")
    _settlement(trade, document)
    return root.written()


def _line(trade: Writer, document: Document, line: Line) -> None:
    group = trade.group("ram:IncludedSupplyChainTradeLineItem")
    group.group("ram:AssociatedDocumentLineDocument").add("ram:LineID", line.number)
    product = group.group("ram:SpecifiedTradeProduct")
    product.add("ram:Name", line.name)
    product.add("ram:Description", line.description)
    price = group.group("ram:SpecifiedLineTradeAgreement").group("ram:NetPriceProductTradePrice")
    price.add("ram:ChargeAmount", two_decimals(line.price))
    delivery = group.group("ram:SpecifiedLineTradeDelivery")
    delivery.add("ram:BilledQuantity", line.quantity, unitCode=_PIECE)
    settlement = group.group("ram:SpecifiedLineTradeSettlement")
    _tax(settlement, document.vat)
    if document.start <= line.start and line.end <= document.end:
        _period(settlement, line.start, line.end)
    sums = settlement.group("ram:SpecifiedTradeSettlementLineMonetarySummation")
    sums.add("ram:LineTotalAmount", two_decimals(line.amount))


def _agreement(trade: Writer, document: Document) -> None:
    legal = document.buyer.legal or _NONE
    agreement = trade.group("ram:ApplicableHeaderTradeAgreement")
    agreement.add("ram:BuyerReference", legal.buyer_reference)
    _party(agreement.group("ram:SellerTradeParty"), document, document.seller)
    _party(agreement.group("ram:BuyerTradeParty"), document, document.buyer)
    if legal.order_reference is not None:
        order = agreement.group("ram:BuyerOrderReferencedDocument")
        order.add("ram:IssuerAssignedID", legal.order_reference)


def _party(group: Writer, document: Document, party: Party) -> None:
    legal = party.legal or _NONE
    group.add("ram:Name", party.name)
    if legal.registration_id is not None:
        group.group("ram:SpecifiedLegalOrganization").add("ram:ID", legal.registration_id)
    if legal.contact_name or legal.contact_phone:
        contact = group.group("ram:DefinedTradeContact")
        contact.add("ram:PersonName", legal.contact_name)
        if legal.contact_phone is not None:
            phone = contact.group("ram:TelephoneUniversalCommunication")
            phone.add("ram:CompleteNumber", legal.contact_phone)
        if party.email is not None:
            contact.group("ram:EmailURIUniversalCommunication").add("ram:URIID", party.email)
    address = group.group("ram:PostalTradeAddress")
    address.add("ram:PostcodeCode", legal.postal_code)
    address.add("ram:LineOne", legal.street or ", ".join(party.address))
    address.add("ram:CityName", legal.city)
    address.add("ram:CountryID", party.country)
    address.add("ram:CountrySubDivisionName", party.region)
    if endpoint := endpoint_of(party, EInvoiceFormat.CII):
        scheme, name = endpoint
        group.group("ram:URIUniversalCommunication").add("ram:URIID", name, schemeID=scheme)
    # Outside the scope of VAT neither party may have a VAT id (BR-O-02)
    if party.tax_id is not None and document.vat.category is not Category.OUTSIDE:
        vat = is_vat_id(party.tax_id)
        if vat or party is document.seller:
            registration = group.group("ram:SpecifiedTaxRegistration")
            registration.add("ram:ID", party.tax_id, schemeID="VA" if vat else "FC")


def _settlement(trade: Writer, document: Document) -> None:
    settlement = trade.group("ram:ApplicableHeaderTradeSettlement")
    settlement.add("ram:PaymentReference", document.number)
    settlement.add("ram:InvoiceCurrencyCode", document.currency)
    account = (document.seller.legal or _NONE).bank_account
    means = settlement.group("ram:SpecifiedTradeSettlementPaymentMeans")
    means.add("ram:TypeCode", _CREDIT_TRANSFER if account else _NOT_DEFINED)
    if account is not None:
        means.group("ram:PayeePartyCreditorFinancialAccount").add("ram:IBANID", account)
    vat = document.vat
    _tax(settlement, vat, whole=True)
    _period(settlement, document.start, document.end)
    if document.terms is not None or document.due_on is not None:
        terms = settlement.group("ram:SpecifiedTradePaymentTerms")
        terms.add("ram:Description", document.terms)
        if document.due_on is not None:
            _date(terms.group("ram:DueDateDateTime"), document.due_on)
    sums = settlement.group("ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    sums.add("ram:LineTotalAmount", two_decimals(document.net))
    sums.add("ram:TaxBasisTotalAmount", two_decimals(document.net))
    sums.add("ram:TaxTotalAmount", two_decimals(vat.amount), currencyID=document.currency)
    sums.add("ram:GrandTotalAmount", two_decimals(document.gross))
    if document.paid:
        sums.add("ram:TotalPrepaidAmount", two_decimals(document.paid))
    sums.add("ram:DuePayableAmount", two_decimals(document.payable))
    if document.preceding is not None:
        reference = settlement.group("ram:InvoiceReferencedDocument")
        reference.add("ram:IssuerAssignedID", document.preceding.number)


def _tax(group: Writer, vat: Vat, *, whole: bool = False) -> None:
    tax = group.group("ram:ApplicableTradeTax")
    if whole:
        tax.add("ram:CalculatedAmount", two_decimals(vat.amount))
    tax.add("ram:TypeCode", "VAT")
    if whole:
        tax.add("ram:ExemptionReason", vat.reason)
        tax.add("ram:BasisAmount", two_decimals(vat.taxable))
    tax.add("ram:CategoryCode", vat.category.value)
    if vat.category is not Category.OUTSIDE:
        tax.add("ram:RateApplicablePercent", plain(vat.percent))


def _period(group: Writer, start: date, end: date) -> None:
    period = group.group("ram:BillingSpecifiedPeriod")
    _date(period.group("ram:StartDateTime"), start)
    _date(period.group("ram:EndDateTime"), end)


def _date(group: Writer, day: date) -> None:
    group.add("udt:DateTimeString", f"{day:%Y%m%d}", format="102")
