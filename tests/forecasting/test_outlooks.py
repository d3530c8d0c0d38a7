"""What a forecast says of quotas, budgets, other plans, and of how far to trust it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from backend.forecasting.backtest import backtest
from backend.forecasting.budgets import budget_outlook
from backend.forecasting.calibration import Calibration, calibrate
from backend.forecasting.crossing import passing
from backend.forecasting.forecast import compute
from backend.forecasting.inputs import ForecastJob
from backend.forecasting.store import Stored
from backend.forecasting.unit_values import unit_values
from backend_client.types.plans import PlanDefinition
from tests.forecasting.made import METER, MODEL, at, job, plan

# The slow ones fit Prophet, which takes a second or more
pytestmark = pytest.mark.fast

NOW = at("2026-03-10T12:00")
START = at("2026-03-01")
FLAT = [100_000.0] * 9
VALUES = {(MODEL, METER): 1.0}


def with_quota(quantity: str, limit: str = "hard") -> PlanDefinition:
    quota = {"meters": [METER, "input_tokens"], "quantity": quantity, "limit": limit}
    return PlanDefinition.model_validate({**plan().model_dump(), "quotas": [quota]})


def stored(job: ForecastJob) -> Stored:
    outcome = compute(job)
    return Stored(outcome.forecast, outcome.peaks, fresh=True, tested_at=None)


def test_passing_is_told_by_day_and_by_chance() -> None:
    days = [START + timedelta(days=n) for n in range(4)]
    values = [[Decimal(n * grown) for grown in range(1, 11)] for n in range(1, 5)]
    outlook = passing(days, values, Decimal(20))
    # By the end of the days 0, 2, 4 and 5 of ten are above 20
    assert outlook.chance == 0.5
    assert (outlook.early, outlook.likely) == (days[2], days[3])
    never = passing(days, values, Decimal(40))
    assert (never.chance, never.early, never.likely) == (0.0, None, None)


@pytest.mark.slow  # many forecasts
def test_a_quota_is_passed_on_the_day_that_flat_usage_gets_there() -> None:
    # 0.95 M are used by noon of the 10th; 2 M are passed on the 21st
    (quota,) = compute(job(FLAT, NOW, (with_quota("2000000"), START))).forecast.quotas
    assert (quota.used, quota.quantity) == (Decimal(950_000), Decimal(2_000_000))
    assert quota.likely == at("2026-03-21")
    assert quota.chance > 0.9
    assert quota.early is not None
    assert quota.early < quota.likely
    (far,) = compute(job(FLAT, NOW, (with_quota("9000000"), START))).forecast.quotas
    assert (far.chance, far.early, far.likely) == (0.0, None, None)
    (over,) = compute(job(FLAT, NOW, (with_quota("900000"), START))).forecast.quotas
    assert (over.chance, over.likely) == (1.0, at("2026-03-10"))


def test_a_budget_is_passed_when_spend_gets_there() -> None:
    record = stored(job(FLAT, NOW, (plan(), START)))  # 1 USD a day
    half = budget_outlook(record, Decimal("20.5"))
    assert half.spent.amount == Decimal("9.50")
    assert half.likely == at("2026-03-21")
    assert 0.5 < half.chance <= 1
    middle = budget_outlook(record, record.forecast.expected.amount)
    assert middle.chance < 0.5
    gone = budget_outlook(record, Decimal("4.5"))
    assert (gone.chance, gone.likely, gone.early) == (1.0, at("2026-03-05"), at("2026-03-05"))
    safe = budget_outlook(record, Decimal(1_000))
    assert (safe.chance, safe.likely, safe.early) == (0.0, None, None)
    chances = [budget_outlook(record, Decimal(n)).chance for n in range(1, 60)]
    assert chances == sorted(chances, reverse=True)


@pytest.mark.slow  # each path rated by each plan
def test_the_cheapest_plan_that_fits_comes_first() -> None:
    def named(name: str, definition: PlanDefinition) -> PlanDefinition:
        return definition.model_copy(update={"id": name, "name": name.title()})

    fee = {"id": "fee", "name": "Fee", "kind": "flat", "price": "12"}
    charge = {"id": "out", "name": "Output", "kind": "per_unit", "meters": [METER], "price": "2"}
    bundle = PlanDefinition.model_validate(
        {"id": "bundle", "name": "Bundle", "charges": [fee, charge]}
    )
    free = named("free", with_quota("1000000")).model_copy(update={"charges": []})
    silent = PlanDefinition.model_validate({"id": "silent", "name": "Silent"})
    monthly = {"id": "monthly", "name": "Monthly", "amount": "14"}
    once = {"id": "hello", "name": "Hello", "amount": "9", "recurs": False}
    giving = PlanDefinition.model_validate(
        {
            "id": "giving",
            "name": "Giving",
            "charges": [charge | {"price": "10"}],
            "grants": [monthly, once],
        }
    )
    forecast_job = job(FLAT, NOW, (plan(), START), on_sale=[free, plan(), bundle, silent, giving])
    plans = {offer.plan: offer for offer in compute(forecast_job).forecast.plans}
    # 3.1 M: 31 USD on the plan in force, 12 + 6.20 with the fee; 31 less 14 of credit
    assert list(plans)[:3] == ["giving", "bundle", "paid"]
    assert plans["giving"].expected == plans["paid"].expected
    assert [plans[name].credit.amount for name in ("giving", "paid")] == [14, 0]
    assert plans["bundle"].expected.amount == Decimal("18.20")
    assert plans["paid"].expected.amount == Decimal("31.00")
    assert [offer.plan for offer in plans.values() if offer.current] == ["paid"]
    assert not plans["free"].fits
    assert "quota of 1,000,000" in str(plans["free"].reason)
    assert not plans["silent"].fits
    assert "no price" in str(plans["silent"].reason)


def test_a_unit_is_worth_what_one_more_costs() -> None:
    tiers = [{"up_to": "1000000", "price": "10"}, {"up_to": None, "price": "5"}]
    graduated = unit_values(
        job([100_000.0] * 28, NOW, (plan(kind="graduated", tiers=tiers), START))
    )
    assert graduated == {(MODEL, METER): pytest.approx(5e-6)}
    free = unit_values(job(FLAT, NOW, (plan(price="0"), START)))
    assert free == {(MODEL, METER): 1.0}


@pytest.mark.slow
def test_a_past_that_grows_evenly_is_followed_and_one_that_wanders_is_not() -> None:
    steady = [100_000 + 2_000 * n for n in range(100)]
    grows = calibrate(job(steady, NOW, (plan(), START)).history, VALUES, seed=1)
    assert grows.trend > 0.9
    assert grows.spread < 0.05
    chance = np.random.default_rng(5)
    # A level that jumps every three weeks, and goes nowhere
    jumps = [float(round(1e5 * f)) for f in np.repeat(chance.choice([0.7, 1.3], 6), 21)]
    wanders = calibrate(job(jumps, NOW, (plan(), START)).history, VALUES, seed=1)
    assert wanders.trend < grows.trend
    assert wanders.spread > 3 * grows.spread
    short = calibrate(job(steady[:30], NOW, (plan(), START)).history, VALUES, seed=1)
    assert short == Calibration()


@pytest.mark.slow
def test_trust_is_told_from_the_past_alone() -> None:
    chance = np.random.default_rng(2)
    week = (1.2, 1.2, 1.2, 1.2, 1.2, 0.5, 0.5)
    daily = [
        float(round(1e5 * (1 + 0.01 * n) * week[n % 7] * chance.lognormal(0, 0.1)))
        for n in range(90)
    ]
    trust = backtest(job(daily, NOW, (plan(), START)))
    assert trust is not None
    assert (trust.measure, trust.trials, trust.horizon_days) == ("spend", 6, 14)
    # It grows by a percent a day, which the last week again can't know
    assert trust.ratio is not None
    assert trust.ratio < 0.9
    assert trust.error < 0.15
    assert 0.4 <= trust.coverage <= 1
    tokens = backtest(job(daily, NOW, (plan(price="0"), START)))
    assert tokens is not None
    assert tokens.measure == "tokens"


def test_a_short_or_idle_past_tells_nothing_of_trust() -> None:
    assert backtest(job([100_000.0] * 30, NOW, (plan(), START))) is None
    assert backtest(job([], NOW, (plan(), START))) is None
