"""A forecast bills no call that a hard quota will refuse."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.forecasting.forecast import compute
from backend.forecasting.futures import Futures
from backend.forecasting.hard_quotas import within_hard_quotas
from backend_client.types.plan_terms import Quota, QuotaLimit
from backend_client.types.plans import PlanDefinition
from portal.shared.forecast.outlook import forecast_method
from tests.forecasting.made import METER, MODEL, at, job, plan

pytestmark = pytest.mark.fast

NOW = at("2026-03-10T12:00")
START = at("2026-03-01")
FLAT = [100_000.0] * 9
"""0.95 million tokens by now, 3.1 by the month's end; 10 a million.

Of usage that is the same each day, 51 futures say what hundreds do."""


def with_quotas(*quotas: tuple[str, str], limit: str = "hard") -> PlanDefinition:
    of_plan = [
        Quota(meters=[meter], quantity=Decimal(quantity), limit=QuotaLimit(limit))
        for meter, quantity in quotas
    ]
    return plan().model_copy(update={"quotas": of_plan})


def test_no_outcome_is_above_what_the_quota_lets_through() -> None:
    forecast = compute(job(FLAT, NOW, (with_quotas((METER, "2000000")), START), paths=51)).forecast
    assert [bound.amount for bound in (forecast.low, forecast.expected, forecast.high)] == [20] * 3
    assert forecast.demand is not None
    assert forecast.demand.amount == 31
    assert "Without the refusals of the plan’s quotas it would be $31.00" in forecast_method(
        forecast
    )
    # The chance of passing the quota is still of what is asked for
    assert forecast.quotas[0].chance == 1


def test_a_soft_quota_or_a_far_one_changes_nothing() -> None:
    free = compute(job(FLAT, NOW, (plan(), START), paths=51)).forecast
    for quotas in (
        with_quotas((METER, "2000000"), limit="soft"),
        with_quotas((METER, "9000000")),
        with_quotas(("requests", "5")),
    ):
        forecast = compute(job(FLAT, NOW, (quotas, START), paths=51)).forecast
        assert (forecast.expected, forecast.demand) == (free.expected, None)


def test_a_quota_that_was_passed_before_does_not_hold() -> None:
    forecast = compute(job(FLAT, NOW, (with_quotas((METER, "900000")), START), paths=51)).forecast
    assert (forecast.expected.amount, forecast.demand) == (31, None)


def test_the_quota_ends_with_its_plan_and_the_next_counts_what_was_used() -> None:
    half = at("2026-03-16")
    plans = [
        (with_quotas((METER, "1200000")), START),
        (with_quotas((METER, "2000000")), half),
    ]
    # The first plan stops at 1.2 million on the 12th, the second at 2 million on the 23rd
    forecast = compute(job(FLAT, NOW, *plans, paths=51)).forecast
    assert forecast.expected.amount == 20
    by_day = {day.day.day: day.expected for day in forecast.days}
    assert by_day[15] == 12
    assert by_day[16] == 13


@given(
    st.lists(st.integers(0, 50), min_size=4, max_size=4),
    st.lists(st.integers(0, 50), min_size=4, max_size=4),
    st.integers(0, 150),
    st.integers(0, 150),
)
@settings(deadline=None)
def test_what_is_let_through_fits_every_quota_and_is_no_more_than_asked(
    tokens: list[int], requests: list[int], most_tokens: int, most_requests: int
) -> None:
    quotas = with_quotas((METER, str(most_tokens)), ("requests", str(most_requests)))
    of_job = replace(job([], NOW, (quotas, START), paths=1))
    coming = of_job.coming[:4]
    asked = {
        (MODEL, METER): np.array([tokens], dtype=float),
        (MODEL, "requests"): np.array([requests], dtype=float),
        ("other", "seconds"): np.array([[1.0] * 4]),
    }
    stopped = within_hard_quotas(of_job, Futures("run_rate", None, asked), coming)
    passed = asked if stopped is None else stopped.usage
    assert passed[MODEL, METER].sum() <= most_tokens
    assert passed[MODEL, "requests"].sum() <= most_requests
    assert all((passed[series] <= asked[series]).all() for series in asked)
    assert (passed["other", "seconds"] == 1).all()
    if sum(tokens) <= most_tokens and sum(requests) <= most_requests:
        assert stopped is None
    # Once a quota is used up the model stops with all its meters
    used = passed[MODEL, METER].cumsum(), passed[MODEL, "requests"].cumsum()
    for day in range(1, 4):
        if used[0][day - 1] == most_tokens or used[1][day - 1] == most_requests:
            assert passed[MODEL, METER][0, day] == 0 == passed[MODEL, "requests"][0, day]
