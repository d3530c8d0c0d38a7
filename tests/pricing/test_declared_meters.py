"""What a declared meter makes of one event, and how a period's value is divided over its plans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backend.pricing.charges.meters import value_of
from backend.pricing.rating.shared_values import shared_out
from backend_client.types.catalog import Catalog
from backend_client.types.meters import CatalogMeter
from tests.support.billing import catalog_with

pytestmark = pytest.mark.fast

START = datetime(2026, 3, 1, tzinfo=UTC)


def meter(**fields: Any) -> CatalogMeter:
    return CatalogMeter.model_validate({"id": "made", "name": "Made", "of": ["used"], **fields})


def value(of: CatalogMeter, used: str | None, **labels: str) -> Decimal | None:
    quantities = {} if used is None else {"used": Decimal(used)}
    return value_of(of, "model-a", labels, quantities)


@pytest.mark.parametrize(
    ("rules", "used", "expected"),
    [
        ({}, "7", "7"),
        ({"minimum": "10"}, "3", "10"),
        ({"minimum": "10"}, "10.5", "10.5"),
        ({"minimum": "10"}, "0", None),  # a call that failed costs no minimum
        ({"maximum": "10"}, "30", "10"),
        ({"step": "15"}, "31", "45"),
        ({"step": "15"}, "30", "30"),
        ({"step": "0.1"}, "0.11", "0.2"),
        ({"percent": "2.9", "fixed": "0.30"}, "100", "3.2"),
        ({"percent": "1", "minimum": "0.50", "maximum": "2"}, "10", "0.5"),
        ({"percent": "1", "minimum": "0.50", "maximum": "2"}, "100", "1"),
        ({"percent": "1", "minimum": "0.50", "maximum": "2"}, "1000", "2"),
        ({"percent": "0.000001"}, "0.000000001", "0.00000000000000001"),
        ({"aggregation": "last"}, "0", "0"),
    ],
)
def test_an_event_has_what_the_rules_make_of_it(
    rules: dict[str, Any], used: str, expected: str | None
) -> None:
    made_value = value(meter(**rules), used)
    assert made_value == (None if expected is None else Decimal(expected))


def test_an_event_without_the_meter_has_nothing_of_it() -> None:
    assert value(meter(minimum="10"), None) is None
    assert value(meter(labels={"region": "eu"}), "1", region="us") is None
    assert value(meter(models=["model-b"]), "1") is None


def test_a_unique_meter_counts_events_that_have_the_label() -> None:
    users = meter(of=[], aggregation="unique", label="user")
    assert value(users, None, user="u1") == 1
    assert value(users, "5") is None
    assert value(users, "5", user="") is None
    callers = meter(aggregation="unique", label="user")
    assert value(callers, "0", user="u1") is None


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "input_tokens"},
        {"of": []},
        {"of": ["used", "used"]},
        {"minimum": "2", "maximum": "1"},
        {"label": "user"},
        {"aggregation": "max", "minimum": "1"},
        {"aggregation": "last", "fixed": "1"},
        {"aggregation": "unique"},
        {"step": "0"},
    ],
)
def test_a_meter_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        meter(**fields)


PEAK = {"id": "peak", "name": "Peak", "of": ["gigabytes"], "aggregation": "max"}
LEAST = {"id": "least", "name": "At least 10", "of": ["audio_seconds"], "minimum": "10"}


def plan(**fields: Any) -> dict[str, Any]:
    charge = {"id": "c", "name": "C", "kind": "per_unit", "price": "1", "meters": ["peak"]}
    return {"id": "free", "name": "Free", "charges": [charge | fields.pop("charge", {})], **fields}


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        (plan(charge={"models": ["large"]}), "charges"),
        (plan(charge={"labels": {"region": "eu"}}), "charges"),
        (plan(charge={"meters": ["least"]}, prepaid=True), "charges"),
        (plan(quotas=[{"meters": ["peak"], "quantity": "1", "limit": "hard"}]), "quotas"),
        (plan(trial_days=7, trial_quotas=[{"meters": ["peak"], "quantity": "1"}]), "trial_quotas"),
    ],
)
def test_a_plan_can_not_cut_up_a_value_of_the_whole_period(wrong: dict[str, Any], at: str) -> None:
    with pytest.raises(ValidationError) as refused:
        catalog_with(plans=[wrong], meters=[PEAK, LEAST])
    [error] = refused.value.errors()
    assert error["ctx"]["at"][2] == at


def test_a_plan_can_price_and_limit_what_is_summed() -> None:
    least = {"meters": ["least"], "models": ["large"]}
    quota = {"meters": ["least"], "quantity": "1", "limit": "hard"}
    catalog = catalog_with(plans=[plan(charge=least, quotas=[quota])], meters=[PEAK, LEAST])
    assert isinstance(catalog, Catalog)


def test_a_meter_is_not_made_of_another_that_is_made() -> None:
    with pytest.raises(ValidationError, match="made of events itself"):
        catalog_with(meters=[PEAK, LEAST, {"id": "more", "name": "More", "of": ["least"]}])


@given(
    value=st.decimals(0, 10**15, places=9),
    hours=st.lists(st.integers(0, 800), min_size=1, max_size=6),
)
def test_the_parts_of_a_value_are_the_value(value: Decimal, hours: list[int]) -> None:
    reached, times = START, []
    for length in hours:
        times.append((reached, reached + timedelta(hours=length)))
        reached = times[-1][1]
    parts = shared_out(value, times)
    assert sum(parts) == value
    assert all(part >= 0 for part in parts)
    whole = sum(hours)
    for part, length in zip(parts, hours, strict=True):
        if whole:
            assert abs(part - value * length / whole) < Decimal("0.000001")
