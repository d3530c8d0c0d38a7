"""E-invoices by the public schemas and rules, for every category of VAT and odd currencies."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from pypdf import PdfReader

from backend.invoices.electronic.building import credit_note_document, invoice_document
from backend.invoices.electronic.hybrid import FILE_NAME, factur_x_pdf
from backend.invoices.electronic.semantic import Category
from backend.invoices.electronic.writing import e_invoice_xml
from backend.invoices.errors import (
    EInvoiceDataMissing,
    EInvoiceNotExpressible,
    InvoiceIsDraft,
    InvoiceVoid,
)
from backend_client.types.common import Money
from backend_client.types.invoices import (
    CreditedLine,
    CreditNote,
    EInvoiceFormat,
    Invoice,
    Party,
    PartyLegal,
    Payment,
    Tax,
)
from tests.support.e_invoices import Rules, invalid_by_schema

pytestmark = pytest.mark.slow

PERIOD = {"start": "2026-03-01T00:00:00Z", "end": "2026-04-01T00:00:00Z", "time_zone": "UTC"}
LEGAL = PartyLegal(
    street="Hauptstr. 1",
    city="Berlin",
    postal_code="10115",
    endpoint_scheme="9930",
    endpoint="DE123456788",
    buyer_reference="04011000-12345-34",
    registration_id="HRB 1",
    contact_name="Accounting",
    contact_phone="+49 30 1234567",
    bank_account="DE75512108001245126199",
)
SELLER = Party(
    name="Sample seller",
    email="billing@seller.example",
    tax_id="DE123456788",
    country="DE",
    legal=LEGAL,
)
BUYER = Party(
    name="Sample buyer",
    email="ap@buyer.example",
    tax_id="ATU12345675",
    country="AT",
    legal=LEGAL.model_copy(update={"endpoint_scheme": "9914", "endpoint": "ATU12345675"}),
)
UBL = (EInvoiceFormat.PEPPOL, EInvoiceFormat.XRECHNUNG)
REVERSE = ["Reverse charge: the customer accounts for VAT in AT."]


def cash(amount: str | Decimal, currency: str) -> Money:
    return Money(amount=Decimal(amount), currency=currency)


def invoice_of(
    amounts: list[str],
    taxes: list[tuple[str, str, bool]] = (),
    currency: str = "EUR",
    notes: list[str] = (),
    **changes: Any,
) -> Invoice:
    """An issued invoice; taxes are (percent, amount, inclusive) on all lines."""
    subtotal = sum(Decimal(amount) for amount in amounts)
    on_top = sum(Decimal(amount) for _, amount, inclusive in taxes if not inclusive)
    within = sum(Decimal(amount) for _, amount, inclusive in taxes if inclusive)
    fields: dict[str, Any] = {
        "id": "inv_1",
        "number": "FB-1",
        "kind": "period",
        "state": "finalized",
        "period": PERIOD,
        "issued_at": "2026-04-02T00:00:00Z",
        "due_at": "2026-05-02T00:00:00Z",
        "subtotal": cash(subtotal, currency),
        "total": cash(subtotal + on_top, currency),
        "due": cash(subtotal + on_top, currency),
        "seller": SELLER,
        "customer": BUYER,
        "taxes": [
            Tax(
                name="VAT",
                percent=Decimal(percent),
                inclusive=inclusive,
                taxable=cash(subtotal - within, currency),
                amount=cash(amount, currency),
            )
            for percent, amount, inclusive in taxes
        ],
        "tax_notes": notes,
        "lines": [
            {
                "line": place,
                "kind": "charge" if Decimal(amount) >= 0 else "discount",
                "name": f"Charge & <{place}>",
                "period": PERIOD,
                "plan": "pro",
                "plan_version": 1,
                "quantity": "1234567",
                "exact": amount,
                "amount": cash(amount, currency),
            }
            for place, amount in enumerate(amounts, start=1)
        ],
        "paid": cash(0, currency),
        "credited": cash(0, currency),
        "payment_note": "By transfer",
    }
    return Invoice.model_validate(fields | changes)


def note_of(
    invoice: Invoice, lines: dict[int, str], tax: str, inclusive: bool = False
) -> CreditNote:
    currency = invoice.total.currency
    subtotal = sum(Decimal(amount) for amount in lines.values())
    total = subtotal + (0 if inclusive else Decimal(tax))
    [kind] = invoice.taxes
    within = Decimal(tax) if inclusive else 0
    taxed = {"taxable": cash(subtotal - within, currency), "amount": cash(tax, currency)}
    return CreditNote(
        id="crn_1",
        number="FB-CN-1",
        invoice_id=invoice.id,
        reason="Goodwill",
        lines=[
            CreditedLine(line=line, amount=cash(amount, currency)) for line, amount in lines.items()
        ],
        subtotal=cash(subtotal, currency),
        tax=cash(0 if inclusive else tax, currency),
        taxes=[kind.model_copy(update=taxed)],
        total=cash(total, currency),
        to_balance=cash(0, currency),
        issued_at=datetime(2026, 5, 1, tzinfo=UTC),
    )


@pytest.fixture(scope="module")
def rules() -> Rules:
    return Rules()


def faults(rules: Rules, xml: bytes, form: EInvoiceFormat) -> list[str]:
    """All that schemas and rules say of a file."""
    sets = ["EN16931-UBL"] if form in UBL else ["EN16931-CII"]
    sets += ["XRechnung-UBL"] if form is EInvoiceFormat.XRECHNUNG else []
    return invalid_by_schema(xml) + [fault for name in sets for fault in rules.broken(xml, name)]


PAID = Payment(
    id="pay_1",
    amount=cash("20.00", "EUR"),
    method="credit",
    reference="FB-1",
    received_at=datetime(2026, 4, 2, tzinfo=UTC),
)
CASES = {
    "standard rate, a discount, paid in part": invoice_of(
        ["100.00", "0.99", "0.00", "-10.10"], [("19", "17.27", False)], payments=[PAID]
    ),
    "tax within the prices": invoice_of(["59.99", "-5.00", "0.01"], [("20", "9.17", True)]),
    "zero rate": invoice_of(["10.00"], [("0", "0.00", False)]),
    "reverse charge": invoice_of(["10.00", "2.50"], notes=REVERSE),
    "exempt": invoice_of(["10.00"], notes=["Exempt from tax: a university"]),
    "outside of VAT": invoice_of(
        ["10.00"], currency="USD", notes=["No tax is charged: no rate is set for customers in US."]
    ),
    "yen": invoice_of(["1000", "-1"], [("10", "100", False)], currency="JPY"),
    "dinars of two decimals": invoice_of(["1.230"], [("5", "0.060", False)], currency="KWD"),
    "below zero": invoice_of(["-10.00"], [("19", "-1.90", False)]),
}


@pytest.mark.parametrize("case", CASES)
def test_every_form_keeps_the_public_rules(case: str, rules: Rules) -> None:
    document = invoice_document(CASES[case])
    for form in (*UBL, EInvoiceFormat.CII):
        xml = e_invoice_xml(document, form)
        assert xml == e_invoice_xml(document, form)
        assert faults(rules, xml, form) == [], form


def test_credit_notes_keep_the_public_rules(rules: Rules) -> None:
    standard = CASES["standard rate, a discount, paid in part"]
    within = CASES["tax within the prices"]
    for invoice, note in (
        (standard, note_of(standard, {1: "50.00", 4: "-10.10"}, "7.58")),
        (within, note_of(within, {1: "59.99"}, "10.00", inclusive=True)),
    ):
        document = credit_note_document(invoice, note)
        assert document.gross == note.total.amount
        for form in (*UBL, EInvoiceFormat.CII):
            assert faults(rules, e_invoice_xml(document, form), form) == [], form


def test_the_rules_find_what_is_wrong(rules: Rules) -> None:
    """Else the tests above would prove nothing."""
    form = EInvoiceFormat.XRECHNUNG
    xml = e_invoice_xml(invoice_document(CASES["reverse charge"]), form)
    wrong = xml.replace(b">12.50</cbc:PayableAmount>", b">12.51</cbc:PayableAmount>")
    assert any("BR-CO-16" in fault for fault in faults(rules, wrong, form))
    wrong = xml.replace(b"<cbc:BuyerReference>04011000-12345-34</cbc:BuyerReference>", b"")
    assert any("BR-DE-15" in fault for fault in faults(rules, wrong, form))
    assert invalid_by_schema(xml.replace(b"cbc:IssueDate>", b"cbc:IssuedOn>"))
    plain = e_invoice_xml(invoice_document(CASES["zero rate"]), EInvoiceFormat.CII)
    assert invalid_by_schema(plain.replace(b"ram:BuyerTradeParty>", b"ram:Buyer>"))


@pytest.mark.parametrize("form", [*UBL, EInvoiceFormat.CII])
def test_what_is_missing_is_named_with_where_it_is_set(form: EInvoiceFormat) -> None:
    bare = invoice_of(
        ["10.00"],
        [("19", "1.90", False)],
        seller=Party(name="Seller"),
        customer=Party(name="Buyer"),
    )
    with pytest.raises(EInvoiceDataMissing) as refused:
        e_invoice_xml(invoice_document(bare), form)
    named = {error.field: error.detail for error in refused.value.errors}
    assert named["seller.country"] == "is set in FAREBOX_SELLER_COUNTRY"
    assert named["seller.tax_id"] == "is set in FAREBOX_SELLER_TAX_ID"
    assert named["customer.country"] == "is 'country' of the billing details"
    wanted = {
        EInvoiceFormat.CII: set(),
        EInvoiceFormat.PEPPOL: {"seller.legal.endpoint", "customer.legal.buyer_reference"},
        EInvoiceFormat.XRECHNUNG: {
            "seller.legal.contact_phone",
            "customer.legal.city",
            "seller.email",
        },
    }
    assert wanted[form] <= set(named)


def test_details_of_today_serve_an_invoice_that_has_none() -> None:
    early = invoice_of(["10.00"], [("19", "1.90", False)], customer=Party(name="B", country="DE"))
    with pytest.raises(EInvoiceDataMissing):
        e_invoice_xml(invoice_document(early), EInvoiceFormat.PEPPOL)
    assert b"04011000" in e_invoice_xml(invoice_document(early, LEGAL), EInvoiceFormat.PEPPOL)


def test_what_the_standard_cant_express_is_refused() -> None:
    two = [("5", "0.50", False), ("9.975", "1.00", False)]
    for invoice, match in (
        (invoice_of(["10.00"], two), "several"),
        (invoice_of(["1.234"], currency="KWD"), "2 decimals"),
    ):
        with pytest.raises(EInvoiceNotExpressible, match=match):
            invoice_document(invoice)
    partly = invoice_of(["10.00", "5.00"], [("19", "1.90", False)])
    taxed = partly.taxes[0].model_copy(update={"taxable": cash("10.00", "EUR")})
    with pytest.raises(EInvoiceNotExpressible, match="part of the lines"):
        invoice_document(partly.model_copy(update={"taxes": [taxed]}))
    with pytest.raises(InvoiceIsDraft):
        invoice_document(invoice_of(["1.00"], number=None))
    with pytest.raises(InvoiceVoid):
        invoice_document(invoice_of(["1.00"], state="void"))


@settings(deadline=None)
@given(
    st.lists(st.integers(-10_000, 100_000), min_size=1, max_size=6),
    st.sampled_from(["7", "19", "25.5"]),
    st.booleans(),
)
def test_sums_are_the_invoices_own(cents: list[int], percent: str, inclusive: bool) -> None:
    amounts = [str(Decimal(cent) / 100) for cent in cents]
    subtotal, rate = sum(Decimal(amount) for amount in amounts), Decimal(percent) / 100
    tax = subtotal * rate / (1 + rate) if inclusive else subtotal * rate
    invoice = invoice_of(amounts, [(percent, str(round(tax, 2)), inclusive)])
    document = invoice_document(invoice)
    assert document.gross == invoice.total.amount
    assert document.net == document.vat.taxable == sum(line.amount for line in document.lines)
    assert document.vat.category is Category.STANDARD
    for line, form in product(document.lines, [EInvoiceFormat.PEPPOL]):
        assert line.quantity * line.price == line.amount
        assert form is EInvoiceFormat.PEPPOL


def test_the_pdf_carries_the_xml_as_pdf_a_demands() -> None:
    invoice = CASES["standard rate, a discount, paid in part"]
    xml = e_invoice_xml(invoice_document(invoice), EInvoiceFormat.FACTUR_X)
    pdf = factur_x_pdf(invoice, xml)
    assert pdf == factur_x_pdf(invoice, xml)
    reader = PdfReader(io.BytesIO(pdf))
    assert reader.attachments[FILE_NAME] == [xml]
    root = reader.trailer["/Root"]
    [file] = root["/AF"]
    assert file.get_object()["/AFRelationship"] == "/Alternative"
    [intent] = root["/OutputIntents"]
    assert intent["/DestOutputProfile"].get_object().get_data()[36:40] == b"acsp"
    xmp = etree.fromstring(root["/Metadata"].get_data().decode().encode())
    said = {element.tag.rpartition("}")[2]: element.text for element in xmp.iter()}
    assert (said["part"], said["conformance"]) == ("3", "B")
    assert (said["ConformanceLevel"], said["DocumentFileName"]) == ("EN 16931", FILE_NAME)
    assert reader.metadata is not None
    assert reader.metadata.title == "Invoice FB-1"
    assert "/ID" in reader.trailer
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():
            assert "/FontFile2" in font.get_object()["/FontDescriptor"].get_object()
    # In a reader's own typeface it is no PDF/A, and does not claim to be
    foreign = invoice.model_copy(update={"customer": Party(name="株式会社", country="JP")})
    assert b"<pdfaid:part>" not in factur_x_pdf(foreign, xml)
