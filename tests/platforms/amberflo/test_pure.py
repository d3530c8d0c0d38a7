"""The pure part of Amberflo: numbers, names, prices, corrections, and what is refused."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metering.customer import create_customer_payload
from metering.customer_portal_session import create_customer_portal_session_payload
from metering.customer_prepaid_order import create_customer_prepaid_order_payload
from metering.customer_product_invoice import (
    create_all_invoices_query,
    create_invoice_query,
    create_latest_invoice_query,
)
from metering.customer_product_plan import create_customer_product_plan_payload
from metering.ingest import create_ingest_payload
from metering.usage import AggregationType, TimeGroupingInterval, TimeRange, create_usage_query

from backend.platforms.adapter import Refused
from backend.platforms.amberflo.corrections import events_of
from backend.platforms.amberflo.fits import obstacles, why_refused
from backend.platforms.amberflo.mapping import merged_customer, meter_name
from backend.platforms.amberflo.numbers import from_number, to_number
from backend.platforms.amberflo.rated import invoice_query, order_outcome
from backend.platforms.amberflo.webhooks import message_from
from backend.platforms.documents import SentDelta, UsageDelta
from backend.platforms.errors import WebhookRefused
from backend_client.types.plans import PlanDefinition
from backend_client.types.platforms import PlatformMode
from tests.support.amberflo.events import Events
from tests.support.amberflo.shapes import OPERATIONS, Fault, check

pytestmark = pytest.mark.fast

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SUMS = st.lists(st.integers(0, 10**9).map(lambda units: Decimal(units) / 1000), max_size=8)
METERS = st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True)
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=90)


def delta(revision: int, quantity: Decimal, earlier: tuple[SentDelta, ...] = ()) -> UsageDelta:
    return UsageDelta(
        f"id-{revision}", "ten_1", "tokens", "large", NOON, quantity, None, None, revision, earlier
    )


@given(SUMS, st.randoms())
def test_whatever_a_sum_becomes_amberflo_counts_it(sums: list[Decimal], chance: object) -> None:
    """Each change is sent up to three times: an answer may have been lost after it was taken."""
    events, earlier, before = Events(), [], Decimal(0)
    for revision, total in enumerate(sums, start=1):
        change = total - before
        if change:
            written = events_of(delta(revision, change, tuple(earlier)))
            for _ in range(chance.choice([1, 2, 3])):  # type: ignore[attr-defined]  # st.randoms
                events.ingest(json.loads(json.dumps(written)), NOON)
            earlier.append(SentDelta(f"id-{revision}", revision, change))
        before = total
        counted = events.total(meter_name("tokens", "large"), "ten_1", 0, 2**40)
        assert from_number(Decimal(str(counted))) == total


def test_what_was_not_taken_is_not_taken_back() -> None:
    with pytest.raises(Refused, match="takes back more than Amberflo took"):
        events_of(delta(2, Decimal(-5), (SentDelta("id-1", 1, Decimal(4)),)))


@given(st.decimals(0, 10**9, places=6))
def test_numbers_go_there_and_back_unchanged(value: Decimal) -> None:
    assert from_number(Decimal(str(to_number(value)))) == value


def test_a_number_of_more_digits_is_refused() -> None:
    with pytest.raises(Refused, match="hold 15 digits"):
        to_number(Decimal("1234567890.1234567"))
    assert from_number(Decimal("0.30000000000000004")) == Decimal("0.3")


@given(st.sets(st.tuples(METERS, NAMES), min_size=2, max_size=6))
def test_no_two_meters_have_a_name(pairs: set[tuple[str, str]]) -> None:
    names = {meter_name(meter, model) for meter, model in pairs}
    assert len(names) == len(pairs)
    assert all(re.fullmatch(r"fb-[A-Za-z0-9_-]{1,70}", name) for name in names)


def test_an_update_keeps_what_others_set() -> None:
    """An update replaces the whole customer: without its trait it would be cut off Stripe."""
    there = {
        "customerId": "ten_1",
        "customerName": "Before",
        "address": {"city": "Springfield"},
        "traits": {"stripeId": "cus_1"},
        "createTime": 1,
    }
    merged = merged_customer(
        there, {"customerId": "ten_1", "customerName": "After", "traits": {"farebox_tenant": "t"}}
    )
    assert merged == {
        "customerId": "ten_1",
        "customerName": "After",
        "address": {"city": "Springfield"},
        "traits": {"stripeId": "cus_1", "farebox_tenant": "t"},
    }


def charge(**changes: object) -> dict[str, object]:
    return {
        "id": "usage",
        "name": "Usage",
        "meters": ["tokens"],
        "models": ["large"],
        "kind": "per_unit",
        **({} if "tiers" in changes else {"price": "1"}),
        **changes,
    }


NIGHT = {"id": "night", "name": "Night", "time_zone": "UTC", "start": "22:00", "end": "06:00"}
ONE_TIER = {"up_to": None, "price": "1"}


@pytest.mark.parametrize(
    ("changes", "plan", "why"),
    [
        ({}, {}, ""),
        ({"models": None}, {}, "adds up several meters or models"),
        ({"labels": {"region": "eu"}}, {}, "prices some labels"),
        ({"minimum": "5"}, {}, "has a minimum"),
        ({"included": "0.5"}, {}, "ends within a unit"),
        ({"price": "12345.123456789012"}, {}, "more than 15 digits"),
        ({"kind": "package", "package_size": 10}, {}, "'usage' is a package charge"),
        ({"kind": "volume", "tiers": [ONE_TIER]}, {}, "Amberflo publishes no form"),
        ({"kind": "graduated", "tiers": [ONE_TIER | {"flat_fee": "2"}]}, {}, "fee of its own"),
        ({"window": "night"}, {"windows": [NIGHT]}, "Charge 'usage' has prices by the hour"),
        ({}, {"minimum": "100"}, "The plan has a minimum"),
    ],
)
def test_a_plan_that_is_not_carried_says_why(
    changes: dict[str, object], plan: dict[str, object], why: str
) -> None:
    definition = PlanDefinition.model_validate(
        {"id": "a", "name": "A", "currency": "USD", "charges": [charge(**changes)], **plan}
    )
    said = " ".join(obstacles(definition, "USD"))
    assert why in said
    assert bool(said) == bool(why)
    in_euros = "computes invoices in USD, the tenant pays in EUR"
    assert in_euros in " ".join(obstacles(definition, "EUR"))


def test_it_takes_usage_alone_and_from_midnight_on() -> None:
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    assert why_refused(PlatformMode.USAGE, midnight) is None
    assert "takes no finished invoices" in str(why_refused(PlatformMode.INVOICES, midnight))
    late = datetime(2026, 3, 29, tzinfo=UTC)
    assert "from a day after the 28th" in str(why_refused(PlatformMode.USAGE, late))
    berlin = midnight - timedelta(hours=1)
    assert "begin at midnight UTC" in str(why_refused(PlatformMode.USAGE, berlin))


def test_a_webhook_is_known_by_its_header_and_names_an_invoice() -> None:
    said = {
        "topic": "ready-product-invoices",
        "eventTime": 1659711395409,
        "eventId": "1bf92cf0",
        "data": {"invoiceUri": "payments/invoices/account_id=3/customer_id=ten_1"},
    }
    body, secrets = json.dumps(said).encode(), [b"before", b"now"]
    message = message_from({"x-auth": "now"}, body, secrets)
    assert (message.id, message.object_id) == ("1bf92cf0", said["data"]["invoiceUri"])
    assert message.wanted
    other = json.dumps(said | {"topic": "customer-prepaid"}).encode()
    assert not message_from({"x-auth": "before"}, other, secrets).wanted
    for headers, raw in (({}, body), ({"x-auth": "later"}, body), ({"x-auth": "now"}, b"[1]")):
        with pytest.raises(WebhookRefused):
            message_from(headers, raw, secrets)
    with pytest.raises(WebhookRefused):
        message_from({"x-auth": ""}, body, [])


def test_an_invoices_address_says_how_to_ask_for_it() -> None:
    address = (
        "payments/invoices/account_id=3/customer_id=ten_1/product_id=1/product_plan_id=fb-a-1-usd"
        "/year=2026/month=02/day=06"
    )
    assert invoice_query(address) == {
        "customerId": "ten_1",
        "productId": "1",
        "productPlanId": "fb-a-1-usd",
        "year": "2026",
        "month": "2",
        "day": "6",
        "fromCache": "true",
        "withPaymentStatus": "true",
    }


def test_an_order_ends_paid_or_failed_or_not_yet() -> None:
    def outcome(status: str | None) -> bool | None:
        fact = order_outcome("ten_1", {"id": "top_1", "paymentStatus": status, "paymentId": "p"})
        return None if fact is None else fact.paid

    assert [outcome(status) for status in ("SETTLED", "settled", "failed", "pending", None)] == [
        True,
        True,
        False,
        None,
        None,
    ]


def test_the_shapes_are_those_of_amberflos_own_client() -> None:
    """What its client makes passes them; what it makes less one required member does not."""
    span = TimeRange(1, 2)
    payloads = {
        "POST /ingest/": [create_ingest_payload("m", 1.5, 1, "c", {"a": "b"}, "u")],
        "POST /customers/": create_customer_payload("c", "C", "a@example.com", True, {"a": "b"}),
        "POST /payments/pricing/amberflo/customer-pricing": create_customer_product_plan_payload(
            "c", "p", None, 2 * 86400, 1
        ),
        "POST /payments/pricing/amberflo/customer-prepaid": create_customer_prepaid_order_payload(
            "o", "c", 1, 5.0, None, 6.0
        ),
        "POST /usage/": create_usage_query(
            AggregationType.SUM, "m", TimeGroupingInterval.HOUR, span, ["customerId"], {"a": ["b"]}
        ),
        "POST /session": create_customer_portal_session_payload("c", 1, "https://example.com"),
    }
    for operation, payload in payloads.items():
        method, path = operation.split(" ")
        assert check(method, path, {}, payload) == operation
        first = payload[0] if isinstance(payload, list) else payload
        required = next(iter(first))
        for broken in ({**first, "unknown": 1}, {**first, required: " "}):
            if operation == "POST /usage/" and required == "aggregation":
                continue
            with pytest.raises(Fault):
                check(method, path, {}, [broken] if isinstance(payload, list) else broken)
    for query in (
        create_all_invoices_query("c"),
        create_latest_invoice_query("c"),
        create_invoice_query("c", "p", date(2026, 3, 1)),
    ):
        path = "/payments/billing/customer-product-invoice" + "/all" * (
            "latest" not in query and "year" not in query
        )
        assert check("GET", path, {name: str(value) for name, value in query.items()}, None)
    assert all(of["of"] for of in OPERATIONS.values())
