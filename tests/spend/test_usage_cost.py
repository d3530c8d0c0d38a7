"""What usage cost over time adds up to the bill, however time and usage are divided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidInput
from backend.metering.counting.batches import count_events
from backend.metering.counting.labels import declare_label
from backend.metering.events import AcceptedEvent
from backend.pricing.charges.rate_card import AttributedQuantity, MeteredQuantity
from backend.pricing.periods import billing_period
from backend.pricing.rating.rated_period import Stretch
from backend.spend.cost_report import CostQuestion, cost_report
from backend.spend.open_period import OpenPeriod
from backend.spend.queries import spend_report
from backend.spend.sharing import shared
from backend.spend.usage_cost import NOBODY, UsedInBucket, UserOf, costs
from backend.storage.database import Database
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.catalog import Catalog
from backend_client.types.charges import FlatCharge
from backend_client.types.cost import CostDimension
from backend_client.types.plans import PlanDefinition
from backend_client.types.usage import Granularity
from tests.support.billing import NOW, add_usage

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
PLAN = PlanDefinition.model_validate(
    {
        "id": "tiers",
        "name": "Tiers",
        "currency": "USD",
        "charges": [
            {"id": "fee", "name": "Fee", "kind": "flat", "price": "31"},
            {
                "id": "out",
                "name": "Output",
                "kind": "graduated",
                "meters": ["output_tokens"],
                "unit_size": 1,
                "included": "10",
                "tiers": [{"up_to": "100", "price": "0.07"}, {"up_to": None, "price": "0.03"}],
            },
            {
                "id": "in",
                "name": "Input",
                "kind": "volume",
                "meters": ["input_tokens"],
                "unit_size": 1,
                "tiers": [{"up_to": "50", "price": "0.02"}, {"up_to": None, "price": "0.01"}],
            },
        ],
    }
)
used = st.builds(
    lambda application, meter, quantity, labels: AttributedQuantity(
        application, "", MeteredQuantity("m", meter, quantity, labels=labels)
    ),
    st.sampled_from(["app_a", "app_b"]),
    st.sampled_from(["input_tokens", "output_tokens", "unpriced"]),
    st.decimals(0, 80, places=3),
    st.sampled_from([(), (("team", "a"),), (("team", "b"),), (("region", "eu"), ("team", "a"))]),
)
days = st.lists(st.lists(used, max_size=4), min_size=1, max_size=5)


def period() -> OpenPeriod:
    month = billing_period(MARCH, "UTC")
    return OpenPeriod(month, "USD", (Stretch(PLAN, 1, month.start, month.end),), 1)


def total(opened: OpenPeriod, used_days: Iterable[Iterable[AttributedQuantity]]) -> Decimal:
    rated = opened.rate_with([[each.metered for day in used_days for each in day]])
    lines = (line for line in rated.lines if not isinstance(line.charge, FlatCharge))
    return sum((line.exact for line in lines), Decimal(0))


def buckets(used_days: Iterable[list[AttributedQuantity]]) -> list[UsedInBucket]:
    return [
        UsedInBucket(MARCH + timedelta(days=number), [day]) for number, day in enumerate(used_days)
    ]


@pytest.mark.fast
@given(days)
def test_days_add_up_to_the_lines_for_usage(used_days: list[list[AttributedQuantity]]) -> None:
    opened = period()
    each = list(costs(opened, buckets(used_days)))
    assert sum((cost.amount for cost in each), Decimal(0)) == total(opened, used_days)
    assert all(cost.user.meter != "unpriced" for cost in each)
    # A day costs what it adds to the bill
    for number in range(len(used_days)):
        day = MARCH + timedelta(days=number)
        grown = total(opened, used_days[: number + 1]) - total(opened, used_days[:number])
        assert sum((cost.amount for cost in each if cost.start == day), Decimal(0)) == grown


@pytest.mark.fast
@given(days)
def test_who_used_it_costs_the_same_by_whichever_labels(
    used_days: list[list[AttributedQuantity]],
) -> None:
    opened = period()
    whole = {(cost.start, cost.user): cost.amount for cost in costs(opened, buckets(used_days))}
    for labels in ({"team"}, {"team", "region"}):
        summed: defaultdict[tuple[datetime, UserOf], Decimal] = defaultdict(Decimal)
        for cost in costs(opened, buckets(used_days), labels):
            assert {name for name, _ in cost.user.labels} <= labels
            summed[cost.start, cost.user._replace(labels=())] += cost.amount
        assert summed == whole


@pytest.mark.fast
@given(days, st.integers(0, 4))
def test_what_came_before_counts_for_prices_alone(
    used_days: list[list[AttributedQuantity]], place: int
) -> None:
    opened = period()
    everything = buckets(used_days)
    later = [
        UsedInBucket(None if number < place else bucket.start, bucket.used)
        for number, bucket in enumerate(everything)
    ]
    since = MARCH + timedelta(days=place)
    whole = [cost for cost in costs(opened, everything) if cost.start >= since]
    assert list(costs(opened, later)) == whole


@pytest.mark.fast
@given(
    st.decimals(-1000, 1000, places=12),
    st.dictionaries(st.text(max_size=3), st.decimals("0.001", 1000, places=3), min_size=1),
)
def test_shares_add_up_to_the_amount(amount: Decimal, weights: dict[str, Decimal]) -> None:
    shares = shared(amount, weights)
    assert shares.keys() == weights.keys()
    assert sum(shares.values(), Decimal(0)) == amount


@pytest.mark.fast
def test_who_used_nothing_of_a_line_pays_nothing_of_it() -> None:
    mine = AttributedQuantity("a", "k", MeteredQuantity("m", "output_tokens", Decimal(30)))
    theirs = AttributedQuantity("b", "", MeteredQuantity("m", "input_tokens", Decimal(10)))
    (cost, other) = costs(period(), buckets([[mine, theirs]]))
    assert (cost.user, cost.amount) == (UserOf("a", "k", "m", "output_tokens"), Decimal("1.4"))
    assert (other.user, other.amount) == (UserOf("b", "", "m", "input_tokens"), Decimal("0.2"))
    assert NOBODY not in {cost.user, other.user}


@pytest.mark.engine
async def test_a_period_by_day_model_and_meter_is_its_bill(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "paid", MARCH)
    await add_usage(
        database,
        tenant,
        ("2026-03-01T00:00Z", "large", "input_tokens", "1000000"),
        ("2026-03-09T23:45Z", "small", "input_tokens", "234567"),
        ("2026-03-10T12:00Z", "large", "output_tokens", "600000"),
        ("2026-03-11T12:00Z", "large", "output_tokens", "1000000"),
        version=7,
    )
    month = CostQuestion(MARCH, datetime(2026, 4, 1, tzinfo=UTC))
    async with database.begin() as connection:
        bill = await spend_report(connection, tenant, NOW)
        by_day = await cost_report(connection, tenant, month)
        by_both = await cost_report(
            connection,
            tenant,
            CostQuestion(
                MARCH + timedelta(days=9),
                MARCH + timedelta(days=11),
                Granularity.HOUR,
                "Asia/Tokyo",
                frozenset({CostDimension.MODEL, CostDimension.METER}),
                meters=["output_tokens"],
            ),
        )
    usage_lines = [line for line in bill.lines if line.charge_id != "fee"]
    assert sum(row.amount for row in by_day.rows) == sum(line.exact for line in usage_lines)
    assert [(row.start.day, row.amount) for row in by_day.rows] == [
        (1, Decimal("0.15")),
        (9, Decimal("0.03518505")),
        (10, Decimal(5)),  # after 0.1 included
        (11, Decimal("7.5")),  # 0.5 at 10, and 0.5 at 5
    ]
    assert (by_day.currency, by_day.version) == ("USD", 7)
    assert [(row.start.hour, row.model, row.meter, row.amount) for row in by_both.rows] == [
        (12, "large", "output_tokens", Decimal(5)),
        (12, "large", "output_tokens", Decimal("7.5")),
    ]


@pytest.mark.engine
async def test_what_a_label_cost_is_asked_for_and_adds_up_to_the_bill(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "paid", MARCH)
        await declare_label(connection, tenant.id, "team")
        await declare_label(connection, tenant.id, "region")
    events = [
        AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=str(number),
            time=NOW,
            received_at=NOW,
            application_id="app_1",
            model="large",
            quantities={"input_tokens": Decimal(number * 100_000)},
            labels=labels,
        )
        for number, labels in enumerate(
            ({"team": "a"}, {"team": "b", "region": "eu"}, {"region": "eu"}, {"other": "x"}), 1
        )
    ]
    async with database.raw() as counter:
        await count_events(counter, events)
    until = datetime(2026, 4, 1, tzinfo=UTC)

    async def ask(**question: Any) -> dict[str | None, Decimal]:
        async with database.begin() as connection:
            asked = CostQuestion(MARCH, until, Granularity.TOTAL, **question)
            report = await cost_report(connection, tenant, asked)
        return {row.labels.get("team"): row.amount for row in report.rows}

    async with database.begin() as connection:
        bill = await spend_report(connection, tenant, NOW)
    usage = sum(line.exact for line in bill.lines if line.charge_id != "fee")
    by_team = await ask(by_labels=("team",))
    assert set(by_team) == {"a", "b", None}
    assert sum(by_team.values()) == usage
    assert by_team["b"] == 2 * by_team["a"]
    assert await ask(labels={"region": "eu", "team": "b"}) == {None: by_team["b"]}
    assert await ask(labels={"region": "us"}) == {}


@pytest.mark.engine
async def test_too_many_parts_are_refused(database: Database, tenant: Tenant) -> None:
    question = CostQuestion(MARCH, MARCH + timedelta(days=60), Granularity.HOUR)
    async with database.begin() as connection:
        with pytest.raises(InvalidInput, match="at most 200 parts"):
            await cost_report(connection, tenant, question)


@pytest.mark.engine
async def test_the_route_answers_who_may_see_spend(
    api: httpx.AsyncClient, session: dict[str, str]
) -> None:
    async def ask(**query: Any) -> httpx.Response:
        return await api.get("/v1/usage/cost", headers=session, params=query)

    answer = await ask(granularity="month", group_by=["model", "application"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["rows"] == []
    undeclared = await ask(group_by_label="nobody")
    assert (undeclared.status_code, undeclared.json()["code"]) == (422, "label_not_declared")
    too_long = await ask(start="2020-01-01T00:00:00Z", end="2026-01-01T00:00:00Z")
    assert (too_long.status_code, too_long.json()["code"]) == (422, "span_too_long")
