"""The pure part of Stripe: amounts, shares, forms and signatures, for any input."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qsl

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from backend.invoices.rules.crediting import spread_over, subtotal_of
from backend.platforms.adapter import Refused
from backend.platforms.documents import Customer, TopUpDocument
from backend.platforms.queueing.usage import identifier_of
from backend.platforms.stripe import events
from backend.platforms.stripe.amounts import from_minor, to_minor
from backend.platforms.stripe.checkout import checkout_form
from backend.platforms.stripe.fits import obstacles
from backend.platforms.stripe.forms import encode
from backend.platforms.stripe.lines import spread
from backend.platforms.stripe.signatures import why_refused
from backend.pricing.money import minor_digits, round_to_minor_unit
from backend_client.types.plans import PlanDefinition
from tests.docs.pages import DOCS
from tests.support.stripe.openapi import nested

pytestmark = pytest.mark.fast

CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "ISK", "EUR"])
WEIGHTS = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=30)


@given(st.integers(-(10**12), 10**12), CURRENCIES)
def test_amounts_go_there_and_back_unchanged(units: int, currency: str) -> None:
    amount = Decimal(units).scaleb(-minor_digits(currency))
    assert from_minor(to_minor(amount, currency), currency) == amount


def test_an_amount_between_two_units_is_refused() -> None:
    for amount, currency in (("0.001", "USD"), ("0.5", "JPY"), ("0.20", "MGA")):
        with pytest.raises(Refused, match="can't express"):
            to_minor(Decimal(amount), currency)


@given(st.integers(-(10**12), 10**12), WEIGHTS)
def test_shares_add_up_whatever_the_weights(amount: int, weights: list[int]) -> None:
    assert sum(spread(amount, weights)) == amount


@given(
    st.integers(1, 10**7),
    st.decimals(0, 50, places=2),
    st.integers(0, 10**6),
    st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_a_subtotal_comes_to_the_total_or_there_is_none(
    units: int, percent: Decimal, credited: int, currency: str
) -> None:
    unit = Decimal(1).scaleb(-minor_digits(currency))
    before = credited * unit

    def taxed(subtotal: Decimal) -> Decimal:
        return round_to_minor_unit((before + subtotal) * percent / 100, currency)

    def with_tax(subtotal: Decimal) -> Decimal:
        return subtotal + taxed(subtotal) - taxed(Decimal(0))

    subtotal = subtotal_of(units * unit, with_tax, currency)
    if subtotal is not None:
        assert with_tax(subtotal) == units * unit
        left = {1: subtotal / 2, 2: Decimal(-5), 3: subtotal}
        assert sum(amount for _, amount in spread_over(subtotal, left)) == subtotal
    else:  # no whole number of units comes to it
        near = int(units / (1 + percent / 100))
        around = range(max(near - 3, 0), near + 4)
        assert all(with_tax(count * unit) != units * unit or count == 0 for count in around)


def test_a_form_is_read_as_it_was_meant() -> None:
    form = {"a": {"b": ["x y", "&=é"]}, "c": True, "d": Decimal("1.50"), "e": None, "f": -3}
    assert nested(encode(form)) == {
        "a": {"b": {"0": "x y", "1": "&=é"}},
        "c": "true",
        "d": "1.5",
        "f": "-3",
    }


def test_stripes_own_library_signs_as_we_verify() -> None:
    body = '{"id":"evt_1","object":"event","type":"invoice.paid","created":1,"data":{"object":{}}}'
    secret = "whsec_of_a_test"
    header = stripe.WebhookSignature.generate_signature_header(body, secret)
    now = datetime.now(UTC)
    assert why_refused(header, body.encode(), [b"whsec_other", secret.encode()], now) is None
    assert why_refused(header, body.encode(), [b"whsec_other"], now) is not None
    old = why_refused(header, body.encode(), [secret.encode()], now + timedelta(minutes=6))
    assert old == "Its signature is more than five minutes old."


def test_the_docs_name_every_webhook_that_is_listened_to() -> None:
    page = (DOCS / "platforms-stripe.md").read_text()
    setup = page.partition("2. Make a webhook")[2].partition("3. Set the key")[0]
    for kind in (*events.WEBHOOKS, *events.THIN_EVENTS):
        assert f"`{kind}`" in setup


def test_an_identifier_tells_nothing_and_is_the_same_again() -> None:
    bucket = datetime(2026, 3, 1, tzinfo=UTC)
    first = identifier_of("ten_1", "input_tokens", "large", bucket, 1)
    assert first == identifier_of("ten_1", "input_tokens", "large", bucket, 1)
    assert first != identifier_of("ten_1", "input_tokens", "large", bucket, 2)
    assert len(first) <= 100
    assert "ten_1" not in first


def plan(*charges: dict[str, object], **changes: object) -> PlanDefinition:
    document = {"id": "sample", "name": "Sample", "charges": list(charges)}
    return PlanDefinition.model_validate(document | changes)


INPUT: dict[str, object] = {
    "id": "input",
    "name": "Input",
    "kind": "per_unit",
    "meters": ["input_tokens"],
    "models": ["large"],
    "price": "0.15",
}


FEE = {"id": "fee", "name": "Fee", "kind": "flat", "price": "20"}
IN_PACKAGES = {name: value for name, value in INPUT.items() if name != "price"} | {
    "kind": "volume",
    "package_size": 10,
    "tiers": [{"up_to": None, "price": "5"}],
}


def test_a_plan_that_fits_has_no_obstacles() -> None:
    fee = FEE
    tiers = [{"up_to": "1000000", "price": "10"}, {"up_to": None, "price": "5", "flat_fee": "1"}]
    output = INPUT | {"id": "output", "kind": "graduated", "meters": ["output_tokens"]}
    output = {name: value for name, value in output.items() if name != "price"}
    assert obstacles(plan(fee, INPUT, output | {"tiers": tiers}), "USD") == []


@pytest.mark.parametrize(
    ("charge", "changes", "why"),
    [
        (INPUT | {"window": "night"}, {}, "Charge 'input' has prices by the hour."),
        (INPUT | {"labels": {"team": "a"}}, {}, "prices some labels"),
        (INPUT | {"minimum": "5"}, {}, "has a minimum"),
        (INPUT | {"models": None}, {}, "adds up several meters or models"),
        (INPUT | {"meters": ["input_tokens", "output_tokens"]}, {}, "adds up several"),
        (INPUT | {"kind": "package", "package_size": 10}, {}, "is a package charge"),
        (INPUT | {"included_per_seat": 10}, {}, "Charge 'input' includes units by the seat."),
        (FEE | {"cadence": "once"}, {}, "is no fee of the month"),
        (FEE | {"cadence": "quarter"}, {}, "is no fee of the month"),
        (FEE | {"in_advance": True}, {}, "Charge 'fee' is asked for in advance."),
        (IN_PACKAGES, {}, "Charge 'input' sells packages within tiers."),
        (INPUT | {"price": "0.000000000001"}, {}, "more than 12 decimals of a cent"),
        (INPUT, {"minimum": "5"}, "The plan has a minimum."),
        (INPUT, {"currency": "EUR"}, "The plan's prices are in EUR, the tenant pays in USD."),
    ],
)
def test_what_stripe_cant_rate_is_named(
    charge: dict[str, object], changes: dict[str, object], why: str
) -> None:
    if "window" in charge:
        hours = {"time_zone": "UTC", "start": "22:00", "end": "06:00"}
        changes = {"windows": [{"id": "night", "name": "Night", **hours}]}
    assert any(why in obstacle for obstacle in obstacles(plan(charge, **changes), "USD"))


@pytest.mark.parametrize("taxed", [True, False])
def test_checkout_says_that_tax_is_taken_out_of_what_is_paid_for_credit(taxed: bool) -> None:
    top_up = TopUpDocument("top_1", Customer("ten_1", "EUR", "Sample"), Decimal("119"), taxed)
    form = dict(parse_qsl(encode(checkout_form(top_up, "cus_1", "https://portal.example/wallet"))))
    said = [text for name, text in form.items() if "product_data" in name and "description" in name]
    assert said == ["Tax is taken out of the amount, and the rest is the credit."] * taxed
