"""What the comparison of plans asks, keeps in its address, and says."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.types.common import Money
from backend_client.types.simulate import SimulatedPlan
from backend_client.types.spend import SpendReport
from portal.features.compare.chart import curve_rows, curve_spec
from portal.features.compare.rows import Point, crossovers, curve_points, period_days, plan_columns
from portal.features.compare.workload import (
    MOST_CHATS,
    STEPS,
    Choice,
    Mix,
    changed,
    curve,
    curve_volumes,
    from_query,
    nearest_step,
    simulation,
    to_query,
    with_share,
)

pytestmark = pytest.mark.fast

MODELS = ["small", "large:v2", "other"]


def read(query: str, models: list[str] = MODELS) -> Choice:
    return from_query(dict(parse_qsl(query)), models)


@given(
    st.builds(
        Choice,
        basis=st.sampled_from(["workload", "past"]),
        chats=st.integers(1, MOST_CHATS),
        tokens_in=st.integers(0, 1_000_000),
        tokens_out=st.integers(0, 1_000_000),
        cached=st.integers(0, 100),
        growth=st.integers(-50, 100),
        months=st.integers(1, 24),
        past=st.integers(1, 12),
        seats=st.integers(0, 100_000),
        mix=st.tuples(*[st.integers(0, 100) for _ in MODELS])
        .filter(any)
        .map(lambda shares: tuple(map(Mix, MODELS, shares))),
    )
)
def test_an_address_brings_back_what_was_compared(choice: Choice) -> None:
    assert read(to_query(choice)) == choice


@given(st.dictionaries(st.sampled_from(["chats", "growth", "mix", "past", "basis"]), st.text()))
def test_any_address_gives_something_that_can_be_asked(query: dict[str, str]) -> None:
    choice = from_query(query, MODELS)
    assert simulation(choice) is not None


def test_an_address_starts_with_the_first_model_and_drops_what_is_not_on_sale() -> None:
    assert read("").mix == (Mix("small", 100), Mix("large:v2", 0), Mix("other", 0))
    assert read("mix=gone:50,large:v2:30").mix == (
        Mix("small", 0),
        Mix("large:v2", 30),
        Mix("other", 0),
    )
    many = [f"m{n}" for n in range(20)]
    assert read("mix=m19:5", many).mix[-1] == Mix("m19", 5)
    assert len(read("mix=m19:5", many).mix) == 6


def test_numbers_stay_within_their_bounds() -> None:
    choice = Choice()
    assert changed(choice, "chats", "99999999999").chats == MOST_CHATS
    assert changed(choice, "chats", "0").chats == 1
    assert changed(choice, "cached", -5).cached == 0
    assert changed(choice, "chats", "12,500").chats == 12_500
    for wrong in ("", "1.5", "many", "1e5", "٣"):
        assert changed(choice, "chats", wrong) == choice
    assert changed(choice, "basis", "1") == choice


def test_a_chat_is_a_request_with_its_cached_part_apart() -> None:
    choice = Choice(chats=10, tokens_in=1_000, tokens_out=0, cached=30, mix=(Mix("small", 5),))
    question = simulation(choice)
    assert question is not None
    assert question.workload is not None
    assert question.workload.per_request == {
        "requests": 1,
        "input_tokens": 700,
        "cached_input_tokens": 300,
    }
    assert simulation(with_share(choice, "small", 0)) is None
    past = simulation(Choice(basis="past", past=4))
    assert past is not None
    assert (past.past_periods, past.workload) == (4, None)


def test_the_curve_goes_from_a_tenth_to_ten_times() -> None:
    choice = Choice(chats=500, mix=(Mix("small", 1),))
    question = curve(choice)
    assert question is not None
    assert question.workload is not None
    assert question.workload.requests_per_day == 50
    volumes = curve_volumes(choice, [Decimal(30)] * question.workload.periods)
    assert volumes[0] == 50 * 30
    assert abs(volumes[-1] - 5_000 * 30) < 10
    assert curve(Choice(basis="past")) is None


def test_a_slider_stops_where_a_number_is_nearest_in_proportion() -> None:
    assert [STEPS[nearest_step(n)] for n in (0, 10, 12, 140, 1_000, 9_999_999)] == [
        *(10, 10, 10, 150, 1_000),
        MOST_CHATS,
    ]


def plan(name: str, *bills: str, fits: int | None = None, **more: Any) -> SimulatedPlan:
    """A plan of a monthly bill for each amount; ``fits`` is how many of them it carries."""
    usd = {"currency": "USD"}
    carried = len(bills) if fits is None else fits
    reports = [
        SpendReport.model_validate(
            {
                "period": {
                    "start": datetime(2026, month, 1, tzinfo=UTC),
                    "end": datetime(2026, month + 1, 1, tzinfo=UTC),
                    "time_zone": "UTC",
                },
                "as_of": datetime(2026, 1, 1, tzinfo=UTC),
                "currency": "USD",
                "lines": [],
                "exact_total": bill,
                "total": {"amount": bill, **usd},
                "version": 0,
            }
        )
        for month, bill in enumerate(bills, start=1)
    ]
    total = sum(map(Decimal, bills), Decimal(0))
    fields: dict[str, Any] = {
        "plan": name.lower(),
        "plan_version": 2,
        "name": name,
        "periods": reports,
        "total": {"amount": total, **usd},
        "credit": {"amount": "0", **usd},
        "to_pay": {"amount": total, **usd},
        "fits": carried == len(bills),
        "periods_carried": carried,
    }
    return SimulatedPlan.model_validate(fields | more)


def test_plans_stand_side_by_side_with_what_they_cost_beyond_the_cheapest() -> None:
    choice = Choice(chats=100, mix=(Mix("small", 1),))
    credit = Money(amount=Decimal("4.00"), currency="USD")
    plans = [
        plan("Pro", "31.00"),
        plan("Team", "41.00", credit=credit),
        plan("Free", "0.00", fits=0, reason="Its quota is less."),
    ]
    pro, team, free = plan_columns(plans, choice)
    assert (pro.cheapest, pro.to_pay, pro.dearer) == (True, "$31.00", "")
    # 3,100 chats in January
    assert pro.each == "$0.01 a chat"
    assert (team.cheapest, team.dearer) == (False, "$10.00 more")
    assert team.note == "$4.00 of it is paid by the plan’s credit."
    assert (free.fits, free.cheapest, free.note, free.dearer) == (
        *(False, False),
        "Its quota is less.",
        "",
    )
    assert pro.lines_of == "1 – 31 Jan 2026"
    assert plan_columns(plans, Choice(basis="past"))[0].each == ""
    assert plan_columns([plans[-1]], choice)[0].cheapest is False
    limits = {"pro": ["Up to 6K requests a minute"]}
    assert [each.limits for each in plan_columns(plans, choice, limits)] == [limits["pro"], [], []]


def test_crossovers_are_where_two_bills_meet() -> None:
    plans = [plan("Pay", "10", "20", "40"), plan("Flat", "30", "30", "30")]
    points = curve_points(plans, [Decimal(100), Decimal(200), Decimal(400)])
    assert period_days(plans[0].periods) == [31, 28, 31]
    # From 20 to 40 over 200 chats, 30 is in the middle
    assert crossovers(points) == ["From about 300 chats a month Flat costs less than Pay."]


def test_a_plan_that_stops_is_left_where_it_does() -> None:
    plans = [plan("Free", "0", "0", "0", fits=1), plan("Pay", "10", "20", "40")]
    points = curve_points(plans, [Decimal(100), Decimal(200), Decimal(400)])
    assert crossovers(points) == ["Free ends before 200 chats a month; then it is Pay."]
    rows = curve_rows(points, "USD")
    assert [row["plan"] for row in rows] == ["Free", "Pay", "Pay", "Pay"]
    assert rows[0]["bill_shown"] == "$0.00"
    nobody = [Point(Decimal(1), {"Free": None}), Point(Decimal(2), {"Free": None})]
    assert crossovers(nobody) == []


def test_the_chart_names_every_plan_and_marks_the_volume() -> None:
    spec = curve_spec(["Pay", "Flat"], Decimal(3_000), "USD")
    assert spec["layer"][1]["encoding"]["color"]["scale"]["domain"] == ["Flat", "Pay"]
    [marked] = spec["datasets"].values()
    assert marked == [{"chats": 3000.0}]
