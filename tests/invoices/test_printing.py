"""What an invoice says on paper, down to the part of a period and the seats."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.invoices.paper import words
from backend.invoices.paper.as_csv import invoice_csv
from backend.invoices.paper.as_pdf import invoice_pdf
from backend.invoices.paper.fee_parts import printed_lines
from backend.invoices.rules.lines import lines_of, total_of
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.money import round_to_minor_unit
from backend.pricing.periods import billing_period
from backend.pricing.rating.rated_period import Stretch
from backend.spend.open_period import OpenPeriod
from backend.spend.report import period_of
from backend_client.types.common import Money
from backend_client.types.invoices import Invoice, InvoiceLine, InvoiceState, Party
from backend_client.types.plan_terms import Proration
from backend_client.types.plans import PlanDefinition

pytestmark = pytest.mark.fast

_PERCENT = re.compile(r"for ([\d.]+)% of the period")
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
    assert "Plan team" in page
    named = [line.model_copy(update={"plan_name": "Team plan"}) for line in printed.lines]
    (page,) = text_of(invoice_pdf(printed.model_copy(update={"lines": named})))
    assert "Plan Team plan" in page
    assert "version" not in page
    assert "1 Apr 2026" not in page.split("Description")[1]  # a span ends on its last day


SEATS_CHANGED = [
    Stretch(TEAM, 1, PERIOD.start, MIDDLE, seats=3),
    Stretch(TEAM, 1, MIDDLE, MIDDLE + timedelta(days=2), seats=8),
    Stretch(TEAM, 1, MIDDLE + timedelta(days=2), PERIOD.end, seats=8, add_ons={"help": 1}),
]


def test_seats_that_changed_are_a_line_for_each_number_on_paper() -> None:
    """3 seats for 240 of the 743 hours and 8 for 503; nobody has 6.385 seats."""
    document = invoice(SEATS_CHANGED)
    (page,) = text_of(invoice_pdf(document))
    lines = page.split("Description")[1]
    assert lines.count("Seats") == 2
    assert "1 Mar 2026 – 10 Mar 2026" in lines
    assert "for 32.3015% of the period" in lines
    assert "for 67.6985% of the period" in lines
    assert "6.385" not in lines
    rows = list(csv.DictReader(io.StringIO(invoice_csv(document))))
    seats = [row for row in rows if row["name"] == "Seats"]
    assert [(row["line"], row["quantity"], row["price"], row["amount"]) for row in seats] == [
        ("2", "3", "7", "6.78"),
        ("2", "8", "7", "37.91"),
    ]
    (help_row,) = [row for row in rows if row["name"] == "Help"]
    assert (help_row["quantity"], help_row["amount"]) == ("1", "55.11")


def test_an_invoice_from_before_its_parts_were_kept_still_prints() -> None:
    document = invoice(SEATS_CHANGED)
    stored = document.model_dump(mode="json")
    for line in stored["lines"]:
        if line["charge"] is not None:
            del line["charge"]["fee_parts"]
        del line["plan_name"]
    (page,) = text_of(invoice_pdf(Invoice.model_validate(stored)))
    assert page.split("Description")[1].count("Seats") == 1
    assert "Plan team" in page


@st.composite
def changing_seats(draw: st.DrawFn) -> list[Stretch]:
    """A month on one plan by the second or the day, whose seats and add-ons change at any hour."""
    hours = int((PERIOD.end - PERIOD.start) / timedelta(hours=1))
    changes = draw(st.lists(st.integers(1, hours - 1), max_size=6, unique=True).map(sorted))
    moments = [PERIOD.start + timedelta(hours=hour) for hour in [0, *changes, hours]]
    price = draw(st.decimals("0.0001", "99999", places=4))
    terms = TEAM.model_dump() | {"proration": draw(st.sampled_from(list(Proration)))}
    terms["charges"] = [charge | {"price": price} for charge in terms["charges"][:3]]
    team = PlanDefinition.model_validate(terms)
    many = st.integers(0, 500)
    return [
        Stretch(team, 1, start, end, seats=draw(many), add_ons={"help": draw(many)})
        for start, end in pairwise(moments)
    ]


@given(changing_seats())
def test_printed_factors_multiply_to_each_amount_and_the_amounts_to_the_line(
    stretches: list[Stretch],
) -> None:
    for line in invoice(stretches).lines:
        printed = printed_lines(line)
        assert sum(part.amount.amount for part in printed) == line.amount.amount
        for part in printed:
            assert part.charge is not None
            assert part.charge.price is not None
            quantity = words.quantity(part) or "1"
            assert "." not in quantity
            factors = [*_PERCENT.findall(" ".join(words.arithmetic(part))), "100"]
            product = (
                Decimal(quantity.replace(",", "")) * part.charge.price * (Decimal(factors[0]) / 100)
            )
            assert round_to_minor_unit(product, "USD") == round_to_minor_unit(part.exact, "USD")
            assert abs(part.exact - part.amount.amount) <= Decimal("0.01")
            if len(printed) == 1:
                assert round_to_minor_unit(product, "USD") == part.amount.amount


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
