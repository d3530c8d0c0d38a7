"""Which answers of a tax service can be right, and how invoices are known again by a digest."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.customers.profiles import NO_PROFILE, Profile, on_top
from backend.invoices.rules.lines import ComposedLine, Item
from backend.invoices.taxing.answers import TaxAnswers, TaxQuestionOpen
from backend.invoices.taxing.checking import checked
from backend.invoices.taxing.deciding import InvoiceTax, TaxRules
from backend.invoices.taxing.untaxed import (
    Untaxed,
    closing_day,
    day_at,
    digest,
    question_of,
)
from backend.pricing.money import minor_digits
from backend.pricing.periods import BillingPeriod
from backend.pricing.tax.lines import TaxRate
from backend.settings import Settings
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import BillingDetails, BillingTerms, InvoiceKind
from backend_client.types.spend import Period
from backend_client.types.tax_service import TaxAnswer, TaxQuestion
from backend_client.types.taxes import CatalogTax
from tests.support.tax_server import taxed

pytestmark = pytest.mark.fast

START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
PERIOD = BillingPeriod(START, END, "UTC")
SERVICE = Settings(tax_service_url="http://127.0.0.1:1/tax", seller_country="US")
TABLE = Settings(seller_country="DE")


def invoice(
    *amounts: str | Decimal, currency: str = "USD", profile: Profile = NO_PROFILE
) -> Untaxed:
    tenant = Tenant.model_validate(
        {
            "id": "ten_1",
            "slug": "sample",
            "name": "Sample",
            "time_zone": "UTC",
            "currency": currency,
            "is_sample": True,
            "created_at": START,
        }
    )
    lines = [
        ComposedLine(
            Item("charge", "paid", 1, f"charge-{number}"),
            f"Line {number}",
            Period(start=START, end=END, time_zone="UTC"),
            Decimal(amount),
            Decimal(amount),
        )
        for number, amount in enumerate(amounts)
    ]
    return Untaxed("inv_1", InvoiceKind.PERIOD, tenant, profile, PERIOD, lines, closing_day(PERIOD))


def asked(*amounts: str, currency: str = "USD") -> TaxQuestion:
    return question_of(invoice(*amounts, currency=currency), SERVICE)


def answer(*taxes: dict[str, Any], **fields: Any) -> TaxAnswer:
    whole = {"name": "VAT", "percent": "10", "inclusive": False}
    return TaxAnswer.model_validate({"taxes": [whole | tax for tax in taxes], **fields})


def on(taxable: str, amount: str, **changes: Any) -> dict[str, Any]:
    return {"taxable": taxable, "amount": amount, **changes}


@pytest.mark.parametrize(
    "good",
    [
        answer(),
        answer(on("100", "10"), total="110.00"),
        answer(on("100.00", "10.00"), on("40", "4"), total="114"),
        answer(on("100", "9.99"), total="109.99"),  # a service may round line by line
        answer(on("100", "10.01")),
        answer(on("90.91", "9.09", inclusive=True), total="100"),
        answer(on("50", "5", inclusive=True), on("40.91", "4.09", inclusive=True)),
        answer(on("0", "0")),
        answer(on("100", "0", percent="0"), notes=["Zero-rated export"]),
    ],
)
def test_answers_that_can_be_right(good: TaxAnswer) -> None:
    taxes = checked(good, asked("60", "40"))
    assert [(tax.amount.amount, tax.taxable.amount) for tax in taxes] == [
        (tax.amount, tax.taxable) for tax in good.taxes
    ]
    assert all(str(tax.amount.amount)[-3] == "." for tax in taxes)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (answer(on("100", "10.02")), "10.02 is not 10% of 100"),
        (answer(on("100", "9.98")), "9.98 is not 10% of 100"),
        (answer(on("100", "10.001")), "10.001 has more than the 2 decimals of USD"),
        (answer(on("99.999", "10")), "the taxable 99.999 has more than"),
        (answer(on("100.01", "10")), "more than the subtotal 100"),
        (answer(on("100", "10", inclusive=True)), "are more than the subtotal 100"),
        (answer(on("100", "-10", percent="0")), "-10 is not of the sign of the subtotal"),
        (answer(on("-100", "-10")), "-10 is not of the sign"),
        (answer(on("0", "0.01")), "0.01 is not 10% of 0"),
        (answer(on("100", "10"), total="100"), "the total is 100, but"),
        (answer(on("100", "10", name="Duty"), on("100", "5")), "VAT: 5 is not 10% of 100"),
    ],
)
def test_answers_that_can_not_be_right(wrong: TaxAnswer, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        checked(wrong, asked("60", "40"))


def test_what_is_given_back_has_tax_below_zero() -> None:
    assert len(checked(answer(on("-100", "-10"), total="-110"), asked("-100"))) == 1
    with pytest.raises(ValueError, match="sign"):
        checked(answer(on("-100", "10")), asked("-100"))
    nothing = asked("10", "-10")
    assert len(checked(answer(on("0", "0")), nothing)) == 1
    with pytest.raises(ValueError, match=r"0\.01 is not"):
        checked(answer(on("0", "0.01")), nothing)


def test_units_are_the_currencys() -> None:
    assert len(checked(answer(on("1000", "101")), asked("1000", currency="JPY"))) == 1
    with pytest.raises(ValueError, match="0 decimals of JPY"):
        checked(answer(on("1000", "100.5")), asked("1000", currency="JPY"))
    assert len(checked(answer(on("1.000", "0.101")), asked("1.000", currency="KWD"))) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"taxes": None},
        {"taxes": [{"name": "VAT"}]},
        {"taxes": [{"name": "", "percent": 1, "inclusive": False, "taxable": 1, "amount": 1}]},
        {"taxes": [{"name": "V", "percent": 101, "inclusive": False, "taxable": 1, "amount": 1}]},
        {"taxes": [{"name": "V", "percent": 1, "inclusive": None, "taxable": 1, "amount": 1}]},
        {"taxes": [{"name": "V", "percent": 1, "inclusive": False, "taxable": 1, "amount": "NaN"}]},
        {
            "taxes": [
                {"name": "V", "percent": 1, "inclusive": True, "taxable": "1e999", "amount": 1}
            ]
        },
        {"taxes": [], "notes": [""]},
        {"taxes": [], "total": "Infinity"},
    ],
)
def test_an_answer_of_another_form_is_none(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        TaxAnswer.model_validate(fields)


any_rates = st.lists(
    st.builds(TaxRate, st.just(""), st.just("Tax"), st.decimals(0, 100, places=3), st.booleans()),
    max_size=3,
)


@given(st.data(), any_rates, st.sampled_from(["USD", "JPY", "KWD"]))
def test_what_rates_come_to_is_always_believed(
    data: st.DataObject, rates: list[TaxRate], currency: str
) -> None:
    """Within one unit: what a single rate's rounding, and that of those within prices, can make."""
    assume(sum(rate.inclusive for rate in rates) <= 1)
    cents = st.decimals(-1000, 1000, places=minor_digits(currency))
    amounts = data.draw(st.lists(cents, min_size=1, max_size=4))
    question = question_of(invoice(*amounts, currency=currency), SERVICE)
    answer = TaxAnswer.model_validate(taxed(question, rates))
    taxes = checked(answer, question)
    assert question.subtotal + on_top(taxes) == answer.total


def test_the_question_says_what_is_to_be_taxed() -> None:
    details = BillingDetails(
        name="Sample Ltd",
        address=["Street 1"],
        country="US",
        region="TX",
        business=True,
        tax_id="7",
    )
    question = question_of(
        invoice("31", "0.19", profile=Profile(details, BillingTerms())), SERVICE
    ).model_dump(mode="json")
    assert (question["id"], question["tenant"], question["kind"]) == ("inv_1", "ten_1", "period")
    assert (question["currency"], question["tax_date"], question["subtotal"]) == (
        "USD",
        "2026-03-31",
        "31.19",
    )
    assert question["customer"] == {
        "name": "Sample Ltd",
        "address": ["Street 1"],
        "country": "US",
        "region": "TX",
        "business": True,
        "tax_id": "7",
    }
    assert question["seller"]["country"] == "US"
    assert [(line["line"], line["charge"], line["amount"]) for line in question["lines"]] == [
        (1, "charge-0", "31.00"),
        (2, "charge-1", "0.19"),
    ]


def test_what_the_documentation_shows_is_asked_and_believed() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tax.md").read_text()
    question, answer = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    shown = TaxQuestion.model_validate_json(question)
    assert shown.model_dump(mode="json") == json.loads(question)
    [tax] = checked(TaxAnswer.model_validate_json(answer), shown)
    assert (tax.name, str(tax.amount.amount)) == ("State tax", "1.94")


def test_another_question_has_another_digest() -> None:
    here = Profile(BillingDetails(country="US"), BillingTerms())
    questions = [
        asked("31.00"),
        asked("31.01"),
        asked("31.00", "0"),
        asked("31.00", currency="EUR"),
        question_of(invoice("31.00", profile=here), SERVICE),
    ]
    assert len({digest(question) for question in questions}) == len(questions)
    assert digest(asked("31.00")) == digest(asked("31"))


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        (datetime(2026, 3, 31, 23, 59, tzinfo=UTC), "UTC", date(2026, 3, 31)),
        (datetime(2026, 3, 31, 23, 59, tzinfo=UTC), "Asia/Tokyo", date(2026, 4, 1)),
        (datetime(2026, 3, 1, 3, tzinfo=UTC), "America/New_York", date(2026, 2, 28)),
    ],
)
def test_a_day_is_by_the_clocks_of_the_period(moment: datetime, zone: str, day: date) -> None:
    assert day_at(moment, BillingPeriod(START, END, zone)) == day


def test_a_period_is_taxed_as_on_its_last_day() -> None:
    berlin = datetime(2026, 3, 31, 22, tzinfo=UTC)  # midnight there, summer time
    assert closing_day(BillingPeriod(START, berlin, "Europe/Berlin")) == date(2026, 3, 31)
    assert closing_day(PERIOD) == date(2026, 3, 31)


GERMAN = CatalogTax(id="de-vat", name="VAT", country="DE", percent=Decimal(19))
EXEMPT = BillingTerms(tax_exemption="Certificate 12")
AGREED = BillingTerms(tax_name="GST", tax_percent=Decimal(7), tax_inclusive=True)


def decide(settings: Settings, terms: BillingTerms, *amounts: str) -> InvoiceTax:
    bill = invoice(*amounts, profile=Profile(BillingDetails(), terms))
    return TaxRules(settings, [GERMAN], TaxAnswers()).decide(bill)


def test_what_goes_before_what() -> None:
    for settings in (SERVICE, TABLE):
        assert decide(settings, EXEMPT, "100").notes == ["Exempt from tax: Certificate 12"]
        [tax] = decide(settings, AGREED, "107").taxes
        assert (tax.name, str(tax.amount.amount), tax.rate_id) == ("GST", "7.00", None)
    with pytest.raises(TaxQuestionOpen) as still:
        decide(SERVICE, BillingTerms(), "100")
    assert still.value.question.lines[0].amount == 100
    [tax] = decide(TABLE, BillingTerms(), "100").taxes
    assert (tax.rate_id, str(tax.amount.amount), str(tax.taxable.amount)) == (
        "de-vat",
        "19.00",
        "100.00",
    )
    # Nobody is asked about nothing
    assert decide(SERVICE, BillingTerms(), "0", "0") == InvoiceTax()


@given(
    subtotal=st.decimals(-1000, 1000, places=2),
    percent=st.decimals(0, 100, places=3),
    inclusive=st.booleans(),
)
def test_tax_comes_on_top_or_is_within(
    subtotal: Decimal, percent: Decimal, inclusive: bool
) -> None:
    terms = BillingTerms(tax_name="VAT", tax_percent=percent, tax_inclusive=inclusive)
    taxes = TaxRules(TABLE, [], TaxAnswers()).decide(
        invoice(subtotal, profile=Profile(BillingDetails(), terms))
    )
    assert len(taxes.taxes) == bool(percent)
    on_it = on_top(taxes.taxes)
    assert on_it == (0 if inclusive else sum(tax.amount.amount for tax in taxes.taxes))
    for tax in taxes.taxes:
        assert tax.taxable.amount == (subtotal - tax.amount.amount if inclusive else subtotal)


def test_an_exempt_customer_has_no_agreed_tax() -> None:
    with pytest.raises(ValueError, match="tax_exemption"):
        BillingTerms(tax_exemption="A reason", tax_percent=Decimal(1))
