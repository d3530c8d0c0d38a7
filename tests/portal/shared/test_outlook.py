"""What a forecast says of quotas, plans and itself."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend_client.types.common import Money
from backend_client.types.plan_terms import QuotaLimit
from backend_client.types.spend import (
    Forecast,
    OddDay,
    Period,
    PlanOutlook,
    QuotaOutlook,
    Trust,
)
from portal.shared.forecast.outlook import (
    forecast_method,
    odd_days_note,
    percent,
    plan_rows,
    quota_outlook,
    trust_note,
)

pytestmark = pytest.mark.fast

DAY = datetime(2026, 11, 27, tzinfo=UTC)


def quota(**changed: object) -> QuotaOutlook:
    usual = {
        "meters": ["input_tokens"],
        "quantity": Decimal(1000),
        "limit": QuotaLimit.HARD,
        "used": Decimal(400),
        "chance": 0.42,
        "early": DAY,
        "likely": None,
    }
    return QuotaOutlook.model_validate({**usual, **changed})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"chance": 0.0, "early": None}, "As things go, it lasts the period."),
        ({"used": Decimal(1000), "chance": 1.0}, "It is used up; calls are refused."),
        (
            {"used": Decimal(1001), "chance": 1.0, "limit": QuotaLimit.SOFT},
            "It is passed; calls go on.",
        ),
        (
            {},
            "A chance of 42% that calls will be refused, at the earliest about 27 Nov 2026.",
        ),
        (
            {"chance": 1.0, "likely": DAY, "limit": QuotaLimit.SOFT},
            "As things go, it will be passed, likely on 27 Nov 2026.",
        ),
        ({"chance": 0.03, "early": None}, "A chance of 3% that calls will be refused."),
    ],
)
def test_whether_a_quota_lasts(changed: dict[str, object], said: str) -> None:
    assert quota_outlook(quota(**changed), "UTC") == said


def plan(name: str, expected: str, *, fits: bool = True, current: bool = False) -> PlanOutlook:
    def dollars(amount: str) -> Money:
        return Money(amount=Decimal(amount), currency="USD")

    return PlanOutlook(
        plan=name.lower(),
        name=name,
        plan_version=1,
        current=current,
        expected=dollars(expected),
        low=dollars("1.00"),
        high=dollars("99.00"),
        fits=fits,
        reason=None if fits else "Its quota of 1M tokens does not last.",
    )


def test_the_cheapest_plan_is_the_first_that_fits() -> None:
    rows = plan_rows([plan("Pay", "9.50"), plan("Pro", "20.00", current=True)])
    assert [(row.name, row.expected, row.cheapest, row.current) for row in rows] == [
        ("Pay", "$9.50", True, False),
        ("Pro", "$20.00", False, True),
    ]
    assert rows[0].band == "$1.00 – $99.00"


def test_a_plan_that_does_not_fit_says_why_and_is_never_the_cheapest() -> None:
    free, pay = plan_rows([plan("Free", "0.00", fits=False), plan("Pay", "9.50")])
    assert (free.note, free.cheapest) == ("Its quota of 1M tokens does not last.", False)
    assert (pay.note, pay.cheapest) == ("", True)


def test_what_a_plans_credit_pays_is_said() -> None:
    giving = plan("Giving", "9.50").model_copy(
        update={"credit": Money(amount=Decimal("4.00"), currency="USD")}
    )
    (row,) = plan_rows([giving])
    assert row.note == "$4.00 of it is paid by the plan's credit."


def test_how_far_to_trust_it() -> None:
    assert trust_note(None) == ""
    trust = Trust(
        measure="spend",
        trials=12,
        horizon_days=7,
        coverage=0.81,
        error=0.043,
        naive_error=0.09,
        ratio=0.48,
        computed_at=DAY,
    )
    assert trust_note(trust) == (
        "Tried on 12 past days, 7 days ahead each: 81% of days fell in the band, and the end was "
        "4% off on average, where repeating the last week was 9% off."
    )


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0%"), (0.0004, "0.1%"), (0.004, "0.4%"), (0.43, "43%"), (0.9999, "99.9%"), (1, "100%")],
)
def test_a_percentage_never_rounds_to_never_or_always(share: float, said: str) -> None:
    assert percent(share) == said


@pytest.mark.parametrize(
    ("days", "note"),
    [
        ([], ""),
        ([27], " without the unusual 27 Nov 2026"),
        (
            [23, 24, 25, 27, 27],
            " without the unusual 24 Nov 2026, 25 Nov 2026, 27 Nov 2026 and 1 more",
        ),
    ],
)
def test_which_days_were_left_out_as_odd(days: list[int], note: str) -> None:
    money = Money(amount=Decimal(1), currency="USD")
    odd_days = [
        OddDay(
            day=DAY.replace(day=day), model="m", meter="requests", used=Decimal(9), usual=Decimal(1)
        )
        for day in days
    ]
    forecast = Forecast(
        period=Period(start=DAY, end=DAY, time_zone="UTC"),
        method="prophet",
        reason=None,
        history_days=60,
        expected=money,
        low=money,
        high=money,
        days=[],
        odd_days=odd_days,
        computed_at=DAY,
        version=1,
    )
    assert odd_days_note(forecast) == note
    assert f"60 days of usage{note}. Computed" in forecast_method(forecast)
