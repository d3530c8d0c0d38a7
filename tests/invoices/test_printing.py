"""What an invoice says on paper, down to the part of a period and the seats."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pypdfium2
import pytest

from backend.invoices.paper import words
from backend.invoices.paper.as_pdf import invoice_pdf
from backend.invoices.rules.lines import lines_of, total_of
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.periods import billing_period
from backend.pricing.rating.rated_period import Stretch
from backend.spend.open_period import OpenPeriod
from backend.spend.report import period_of
from backend_client.types.common import Money
from backend_client.types.invoices import Invoice, InvoiceLine, InvoiceState, Party
from backend_client.types.plans import PlanDefinition

pytestmark = pytest.mark.fast

PERIOD = billing_period(datetime(2026, 3, 10, tzinfo=UTC), "Europe/Berlin")
MIDDLE = PERIOD.start + timedelta(days=10)
FREE = PlanDefinition(id="free", name="Free")
TEAM = PlanDefinition.model_validate(
    {
        "id": "team",
        "name": "Team",
        "charges": [
            {"id": "fee", "name": "Fee", "kind": "flat", "price": "49"},
            {"id": "seats", "name": "Seats", "kind": "flat", "price": "7", "per": "seat"},
            {"id": "help", "name": "Help", "kind": "flat", "price": "90", "per": "add_on"},
            {
                "id": "tokens",
                "name": "Tokens",
                "kind": "per_unit",
                "meters": ["input_tokens"],
                "price": "2",
            },
        ],
    }
)


def invoice(stretches: Sequence[Stretch], **changes: object) -> Invoice:
    opened = OpenPeriod(PERIOD, "USD", tuple(stretches), 1)
    lines = lines_of(opened.rate(), period_of(PERIOD))

    def money(amount: Decimal) -> Money:
        return Money(amount=amount, currency="USD")

    total = money(total_of(lines))
    sample = Invoice(
        id="inv_1",
        number="FB-sample-000001",
        kind="period",
        state=InvoiceState.FINALIZED,
        period=period_of(PERIOD),
        issued_at=PERIOD.end,
        due_at=PERIOD.end + timedelta(days=30),
        total=total,
        due=total,
        seller=Party(name="Sample seller"),
        customer=Party(name="Sample customer"),
        lines=[
            InvoiceLine(
                line=number,
                kind=line.of.kind,
                name=line.name,
                period=line.period,
                plan=line.of.plan,
                plan_version=line.of.plan_version,
                quantity=line.quantity,
                charge=line.charge,
                exact=line.exact,
                amount=money(line.amount),
            )
            for number, line in enumerate(lines, start=1)
        ],
        subtotal=total,
        paid=money(Decimal(0)),
        credited=money(Decimal(0)),
        payment_note="Sample bank",
    )
    return sample.model_copy(update=changes)


USED = [MeteredQuantity("any", "input_tokens", Decimal(3_000_000))]
WHOLE = [Stretch(TEAM, 1, PERIOD.start, PERIOD.end, USED, seats=5, add_ons={"help": 2})]
CHANGED = [
    Stretch(FREE, 1, PERIOD.start, MIDDLE),
    Stretch(TEAM, 1, MIDDLE, PERIOD.end, USED, seats=5),
]


def text_of(document: bytes) -> list[str]:
    with closing(pypdfium2.PdfDocument(document)) as printed:
        return [page.get_textpage().get_text_bounded() for page in printed]


def test_seats_and_add_ons_say_how_many() -> None:
    printed = invoice(WHOLE)
    assert [(words.quantity(line), words.unit_price(line)) for line in printed.lines] == [
        ("", "49.00"),
        ("5", "7.00"),
        ("2", "90.00"),
        ("3,000,000", "2.00 / 1,000,000"),
    ]
    assert [words.arithmetic(line) for line in printed.lines] == [[], [], [], []]


def test_a_fee_for_a_part_of_the_period_says_for_which() -> None:
    printed = invoice(CHANGED)
    fee, seats, _ = printed.lines
    # 21 of 31 days, one of them an hour shorter
    assert words.arithmetic(fee) == ["for 67.6985% of the period", "exactly 33.172274562584…"]
    assert words.arithmetic(seats)[0] == "for 67.6985% of the period"
    (page,) = text_of(invoice_pdf(printed))
    assert "11 Mar 2026 – 31 Mar 2026" in page
    assert "1 Apr 2026" not in page.split("Description")[1]  # a span ends on its last day


@pytest.mark.parametrize("name", ["Sample seller", "Ωμέγα", "東京 Inc", "서울", " ", "🙂 Ltd"])
def test_the_paper_is_the_sellers_whatever_its_name(name: str) -> None:
    printed = invoice(WHOLE, seller=Party(name=name))
    drawn = invoice_pdf(printed)
    assert invoice_pdf(printed) == drawn
    assert "Total" in text_of(drawn)[0]


def test_how_to_pay_stands_beside_the_totals_or_below_if_it_is_long() -> None:
    (page,) = text_of(invoice_pdf(invoice(WHOLE)))
    assert page.index("Please pay 270.00 USD") < page.index("Subtotal")
    note = "\n".join(f"Line {number}" for number in range(1, 80))
    pages = text_of(invoice_pdf(invoice(WHOLE, payment_note=note)))
    assert len(pages) > 1
    assert "Line 79" in "".join(pages)
