"""A plan in words: nothing that it charges, includes or limits is left out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from backend_client.types.plans import Plan, PlanDefinition
from backend_client.types.subscriptions import Subscription
from portal.features.spend.plan_rows import since_note
from portal.features.spend.plan_terms import asks_for_nothing, plan_terms

pytestmark = pytest.mark.fast

CATALOG = Path(__file__).parents[3] / "catalog.yaml"
BEGUN = datetime(2026, 11, 24, 12, 15, tzinfo=UTC)


def plan(**parts: object) -> PlanDefinition:
    return PlanDefinition.model_validate({"id": "plan", "name": "Plan", **parts})


def charge(**parts: object) -> dict[str, object]:
    return {"id": "tokens", "name": "Tokens", "meters": ["input_tokens"], **parts}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"kind": "per_unit", "price": "0.50"}, "Tokens: $0.50 per 1M"),
        ({"kind": "per_unit", "price": "0"}, "Tokens: free"),
        ({"kind": "per_unit", "price": "2", "included": 5000}, "Tokens: $2.00 per 1M, 5K included"),
        (
            {"kind": "volume", "tiers": [{"up_to": 10, "price": 3}, {"up_to": None, "price": 2}]},
            "Tokens: $3.00 per 1M, down to $2.00",
        ),
        (
            {"kind": "package", "package_size": 1000, "price": "4"},
            "Tokens: $4.00 per package of 1K",
        ),
        ({"kind": "percentage", "percent": "2.50"}, "Tokens: 2.5%"),
        (
            {
                "kind": "graduated",
                "package_size": 500,
                "tiers": [{"up_to": 1000, "price": 3}, {"up_to": None, "price": 2}],
            },
            "Tokens: $3.00 per package of 500, down to $2.00",
        ),
        (
            {"kind": "per_unit", "price": 2, "included": 5000, "included_per_seat": 100},
            "Tokens: $2.00 per 1M, 5K and 100 per seat included",
        ),
        (
            {"kind": "per_unit", "price": 1, "labels": {"region": "eu"}, "minimum": 5},
            "Tokens: $1.00 per 1M (region eu; at least $5.00)",
        ),
        ({"kind": "per_unit", "price": 1, "maximum": 90}, "Tokens: $1.00 per 1M (at most $90.00)"),
    ],
)
def test_a_charge_on_usage(parts: dict[str, object], said: str) -> None:
    assert plan_terms(plan(charges=[charge(**parts)])) == [said]


def test_a_charge_for_hours_of_the_day_says_which() -> None:
    night = {
        "id": "night",
        "name": "Night",
        "time_zone": "Europe/Berlin",
        "start": "22:00",
        "end": "06:00",
        "days": ["sat", "sun"],
    }
    terms = plan_terms(
        plan(windows=[night], charges=[charge(kind="per_unit", price=1, window="night")])
    )
    assert terms == ["Tokens: $1.00 per 1M (22:00–06:00 Europe/Berlin, Sat, Sun)"]


def test_fees_for_the_subscription_for_seats_and_for_add_ons() -> None:
    fees = [
        {"kind": "flat", "id": "fee", "name": "Fee", "price": 49},
        {"kind": "flat", "id": "seat", "name": "Seats", "price": 25, "per": "seat", "included": 10},
        {"kind": "flat", "id": "extra", "name": "Support", "price": 1500, "per": "add_on"},
        {"kind": "flat", "id": "year", "name": "Yearly fee", "price": 490, "cadence": "year"},
        {
            "kind": "flat",
            "id": "desk",
            "name": "Desks",
            "price": 120,
            "cadence": "year",
            "per": "seat",
            "included": 2,
        },
        {"kind": "flat", "id": "setup", "name": "Set-up", "price": 500, "cadence": "once"},
        {
            "kind": "flat",
            "id": "quarter",
            "name": "Support",
            "price": 300,
            "cadence": "quarter",
            "in_advance": True,
        },
    ]
    assert plan_terms(plan(charges=fees)) == [
        "Fee: $49.00 a month",
        "Seats: $25.00 a month per seat, 10 included",
        "Support: $1,500.00 a month each, if chosen",
        "Yearly fee: $490.00 a year",
        "Desks: $120.00 a year per seat, 2 included",
        "Set-up: $500.00 once",
        "Support: $300.00 a quarter, in advance",
    ]


def test_a_pool_that_grows_with_the_seats_says_so() -> None:
    pool = {"id": "pool", "name": "Pool", "charges": ["tokens"], "quantity_per_seat": 1900}
    terms = plan_terms(plan(charges=[charge(kind="per_unit", price=1)], pools=[pool]))
    assert terms[1:] == ["1.9K per seat included: Pool (Tokens)"]


def test_credit_trials_discounts_minimum_and_quotas() -> None:
    terms = plan_terms(
        plan(
            trial_days=14,
            trial_quotas=[{"meters": ["input_tokens", "output_tokens"], "quantity": 2_000_000}],
            charges=[charge(kind="per_unit", price=1)],
            pools=[{"id": "pool", "name": "Pool", "charges": ["tokens"], "quantity": 20_000_000}],
            grants=[
                {"id": "hello", "name": "Hello", "amount": 5, "recurs": False},
                {"id": "month", "name": "Monthly", "amount": 9, "rollover_cap": 4},
            ],
            discounts=[{"id": "off", "name": "Friends", "percent": "12.5"}],
            minimum=100,
            maximum=900,
            quotas=[{"meters": ["requests"], "quantity": 1000, "limit": "hard"}],
        )
    )
    assert terms == [
        "14 days on trial, then it goes on",
        "On trial up to 2M input tokens + output tokens",
        "Tokens: $1.00 per 1M",
        "20M included: Pool (Tokens)",
        "Hello: $5.00 of credit once",
        "Monthly: $9.00 of credit a month, up to $4.00 carried over",
        "Friends: 12.5% off",
        "At least $100.00 a month",
        "At most $900.00 a month",
        "1K requests a month, then calls are refused",
    ]


def test_limits_are_told_of_all_calls_and_of_those_of_some_models() -> None:
    limited = plan(
        limits={"requests_per_minute": 6000},
        model_limits=[
            {"models": ["large", "huge"], "tokens_per_minute": 5000, "concurrent_requests": 2}
        ],
    )
    assert plan_terms(limited) == [
        "Up to 6K requests a minute",
        "Up to 5K tokens of large and huge a minute",
        "Up to 2 requests of large and huge at a time",
    ]


def test_every_plan_of_the_catalog_has_its_terms() -> None:
    plans = [PlanDefinition.model_validate(p) for p in yaml.safe_load(CATALOG.read_text())["plans"]]
    assert {p.id for p in plans if asks_for_nothing(p)} == {"free"}
    for plan in plans:
        assert len(plan_terms(plan)) >= len(plan.charges) + len(plan.quotas)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({}, "Since 24 Nov 2026, 12:15"),
        (
            {"state": "trial", "state_until": "2026-12-08T12:15:00Z"},
            "Since 24 Nov 2026, 12:15 · on trial until 8 Dec 2026, 12:15",
        ),
        ({"state": "paused"}, "Since 24 Nov 2026, 12:15 · paused"),
        (
            {"renews_at": "2027-11-24T12:15:00Z"},
            "Since 24 Nov 2026, 12:15 · next year's fee 24 Nov 2027, 12:15",
        ),
    ],
)
def test_how_a_plan_is_held(held: dict[str, object], said: str) -> None:
    of = Plan(version=1, published_at=BEGUN, definition=plan())
    subscription = Subscription.model_validate(
        {"id": "sub_1", "plan": of, "start": BEGUN, "end": None, **held}
    )
    assert since_note(subscription, "UTC") == said
