"""What differs, and what most likely made it: each cause from figures that show it alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.metering.reconciliation.exports.parsing import ALL, Sums
from backend.metering.reconciliation.matching.evidence import Evidence, day_bounds
from backend.metering.reconciliation.matching.matching import Matching, match
from backend.metering.reconciliation.meters import Place
from backend_client.types.reconciliation import DiscrepancyCause as Cause
from backend_client.types.reconciliation import DiscrepancyKind, Tolerance

pytestmark = pytest.mark.fast

DAY = date(2026, 3, 10)
MODEL = "model-a"
RATES = {
    "input_tokens": Decimal("0.000002"),
    "cached_input_tokens": Decimal("0.000001"),
    "output_tokens": Decimal("0.00001"),
}


def evidence(**changed: Any) -> Evidence:
    values: dict[str, Any] = {
        "zone": ZoneInfo("UTC"),
        "tolerance": Tolerance(),
        "rates": lambda _day, _model, meter: RATES.get(meter),
    }
    return Evidence(**{**values, **changed})


def at(meter: str, day: int = 0, model: str = MODEL) -> Place:
    return (DAY + timedelta(days=day), model, meter)


def quantities(values: Mapping[Place, int]) -> dict[Place, Sums]:
    return {place: Sums(quantity=Decimal(value)) for place, value in values.items()}


def numbers(values: Mapping[Place, int]) -> dict[Place, Decimal]:
    return {place: Decimal(value) for place, value in values.items()}


def causes(matching: Matching) -> dict[tuple[str, DiscrepancyKind], Cause]:
    return {
        (discrepancy.place[2], discrepancy.kind): discrepancy.cause
        for discrepancy in matching.discrepancies
    }


def quantity_causes(
    theirs: Mapping[Place, int], ours: Mapping[Place, int], **changed: Any
) -> dict[str, Cause]:
    discrepancies = match(quantities(theirs), numbers(ours), evidence(**changed)).discrepancies
    return {discrepancy.place[2]: discrepancy.cause for discrepancy in discrepancies}


def test_what_agrees_within_the_tolerance_is_no_discrepancy() -> None:
    theirs = quantities({at("input_tokens"): 1_000_000, at("output_tokens"): 100})
    ours = numbers({at("input_tokens"): 999_000, at("output_tokens"): 100, at("requests"): 7})
    same = match(theirs, ours, evidence())
    assert (same.discrepancies, same.matched) == ((), 2)
    assert same.totals["input_tokens"] == (1_000_000, 999_000)
    strict = match(theirs, ours, evidence(tolerance=Tolerance(relative=Decimal(0))))
    assert [discrepancy.difference for discrepancy in strict.discrepancies] == [1_000]
    units = Tolerance(relative=Decimal(0), units=Decimal(1_000))
    assert match(theirs, ours, evidence(tolerance=units)).discrepancies == ()


def test_a_day_that_one_side_alone_has_is_a_discrepancy() -> None:
    theirs = quantities({at("input_tokens"): 10, at("input_tokens", 1): 10})
    ours = numbers({at("input_tokens"): 10, at("input_tokens", 2): 10})
    discrepancies = match(theirs, ours, evidence()).discrepancies
    assert [
        (discrepancy.place[0].day, discrepancy.difference, discrepancy.cause)
        for discrepancy in discrepancies
    ] == [
        (11, 10, Cause.MISSING_EVENTS),
        (12, -10, Cause.METERED_ONLY),
    ]


def test_events_that_never_came() -> None:
    theirs = {at("requests"): 100, at("input_tokens"): 50_000, at("output_tokens"): 9_000}
    ours = {at("requests"): 80, at("input_tokens"): 40_000, at("output_tokens"): 7_000}
    assert set(quantity_causes(theirs, ours).values()) == {Cause.MISSING_EVENTS}


def test_retries_that_the_provider_counted_too() -> None:
    theirs = {at("requests"): 112, at("input_tokens"): 56_000, at("output_tokens"): 9_000}
    ours = {at("requests"): 100, at("input_tokens"): 50_000, at("output_tokens"): 9_000}
    failed = {(DAY, MODEL): Decimal(12)}
    assert quantity_causes(theirs, ours, failed=failed) == {
        "requests": Cause.RETRIES_BILLED_TWICE,
        "input_tokens": Cause.RETRIES_BILLED_TWICE,
    }
    # Without failures of our own that many calls are simply not here.
    assert quantity_causes(theirs, ours)["requests"] == Cause.MISSING_EVENTS


def test_cached_tokens_counted_as_fresh() -> None:
    theirs = {at("input_tokens"): 9_000, at("cached_input_tokens"): 1_000}
    ours = {at("input_tokens"): 6_000, at("cached_input_tokens"): 4_000}
    assert set(quantity_causes(theirs, ours).values()) == {Cause.CACHED_AS_FRESH}


EVENINGS = (5_000, 100, 8_000, 300, 9_000, 50, 7_000, 200, 6_000, 400)


def _used(day: int, quarter: int) -> int:
    if quarter >= 80:
        return EVENINGS[day]
    return EVENINGS[-day] if quarter < 24 else 10 + (quarter * quarter + day * day * 13) % 97


QUARTERS = [
    (datetime(2026, 3, 8 + day, tzinfo=UTC) + timedelta(minutes=15 * quarter), Decimal(used))
    for day in range(len(EVENINGS))
    for quarter in range(96)
    for used in [_used(day, quarter)]
]
"""Usage that is heavy on some evenings and mornings (UTC) and not on others."""


def days_of(zone: str) -> dict[Place, int]:
    sums = {}
    for day in range(5):
        first, last = day_bounds(DAY + timedelta(days=day), ZoneInfo(zone))
        sums[at("input_tokens", day)] = int(sum(n for m, n in QUARTERS if first <= m < last))
    return sums


@pytest.mark.parametrize(
    ("zone", "sentence"),
    [
        ("America/Los_Angeles", "7:00 h later than midnight in UTC"),
        ("Asia/Kathmandu", "5:45 h earlier than midnight in UTC"),
        ("Pacific/Auckland", "13:00 h earlier than midnight in UTC"),
    ],
)
def test_days_that_begin_at_another_hour(zone: str, sentence: str) -> None:
    series = {(MODEL, "input_tokens"): QUARTERS}
    theirs, ours = quantities(days_of(zone)), numbers(days_of("UTC"))
    discrepancies = match(theirs, ours, evidence(series=series)).discrepancies
    assert len(discrepancies) >= 4
    assert {discrepancy.cause for discrepancy in discrepancies} == {Cause.TIME_ZONE_CUT}
    assert sentence in discrepancies[0].explanation
    # With a million tokens that are nowhere in the quarter hours, no hour makes the days agree.
    theirs[at("input_tokens", 2)] = Sums(quantity=Decimal(1_000_000))
    other = match(theirs, ours, evidence(series=series)).discrepancies
    assert Cause.TIME_ZONE_CUT not in {discrepancy.cause for discrepancy in other}


def test_a_model_under_another_name() -> None:
    theirs = {at("input_tokens", model="vendor-x"): 500, at("output_tokens", model="vendor-x"): 90}
    ours = {at("input_tokens", model="x"): 500, at("output_tokens", model="x"): 90}
    discrepancies = match(quantities(theirs), numbers(ours), evidence()).discrepancies
    assert {discrepancy.cause for discrepancy in discrepancies} == {Cause.OTHER_NAME}
    assert (
        "so that 'vendor-x' is that one"
        in discrepancies[0].explanation + discrepancies[2].explanation
    )


def test_a_difference_that_nothing_explains_is_said_to_be_so() -> None:
    theirs = {at("requests"): 100, at("output_tokens"): 12_000}
    ours = {at("requests"): 100, at("output_tokens"): 9_000}
    assert quantity_causes(theirs, ours) == {"output_tokens": Cause.UNKNOWN}


def billed(**amounts: str) -> dict[Place, Sums]:
    return {at(meter): Sums(amount=Decimal(amount)) for meter, amount in amounts.items()}


METERED = {at("input_tokens"): 1_000_000, at("cached_input_tokens"): 500_000}


def test_an_amount_is_held_against_the_rate() -> None:
    same = match(billed(input_tokens="2.00"), numbers(METERED), evidence())
    assert (same.discrepancies, same.matched, same.billed, same.expected) == ((), 1, 2, 2)
    dearer = match(billed(input_tokens="2.50"), numbers(METERED), evidence())
    assert causes(dearer) == {("input_tokens", DiscrepancyKind.AMOUNT): Cause.RATE_CHANGE}
    assert "2.5 for a million, not 2" in dearer.discrepancies[0].explanation
    assert dearer.discrepancies[0].difference == Decimal("0.5")


def test_cached_tokens_priced_as_fresh() -> None:
    cached = match(billed(cached_input_tokens="1.00"), numbers(METERED), evidence())
    assert [discrepancy.cause for discrepancy in cached.discrepancies] == [Cause.CACHED_AS_FRESH]
    within_fresh = match(billed(input_tokens="3.00"), numbers(METERED), evidence())
    assert [discrepancy.cause for discrepancy in within_fresh.discrepancies] == [
        Cause.CACHED_AS_FRESH
    ]


def test_an_amount_of_a_quantity_that_differs_says_no_more() -> None:
    theirs = {at("input_tokens"): Sums(quantity=Decimal(2_000_000), amount=Decimal(4))}
    by_meter = causes(match(theirs, numbers({at("input_tokens"): 1_000_000}), evidence()))
    assert by_meter["input_tokens", DiscrepancyKind.AMOUNT] == Cause.QUANTITY_DIFFERS


def test_an_amount_without_a_rate_can_not_be_judged() -> None:
    matching = match(billed(images="9.00"), numbers({at("images"): 9}), evidence())
    assert [(discrepancy.cause, discrepancy.metered) for discrepancy in matching.discrepancies] == [
        (Cause.NO_RATE, None)
    ]
    assert (matching.billed, matching.expected) == (9, None)


def test_a_days_whole_amount_is_held_against_all_that_was_metered() -> None:
    whole = {(DAY, ALL, ALL): Sums(amount=Decimal("2.50"))}
    ours = numbers(METERED | {at("requests"): 12, at("input_tokens", 1): 77})
    assert match(whole, ours, evidence()).matched == 1


places = st.tuples(
    st.dates(DAY, DAY + timedelta(days=3)),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["requests", "input_tokens", "cached_input_tokens", "output_tokens", "x"]),
)
values = st.decimals(0, 10**17, places=9)
maybe = st.none() | values


@given(
    st.dictionaries(places, st.builds(Sums, maybe, maybe), max_size=20),
    st.dictionaries(places, values, max_size=20),
    st.dictionaries(st.tuples(st.dates(DAY, DAY), st.just("a")), values, max_size=1),
)
def test_every_place_agrees_or_is_found_once(
    theirs: dict[Place, Sums], ours: dict[Place, Decimal], failed: dict[Any, Decimal]
) -> None:
    matching = match(theirs, ours, evidence(failed=failed))
    pairs = [(discrepancy.place, discrepancy.kind) for discrepancy in matching.discrepancies]
    assert len(pairs) == len(set(pairs))
    meters = {place[2] for place, sums in theirs.items() if sums.quantity is not None}
    compared = {p for p, sums in theirs.items() if sums.quantity is not None}
    compared |= {p for p in ours if p[2] in meters}
    amounts = sum(sums.amount is not None for sums in theirs.values())
    assert len(pairs) + matching.matched == len(compared) + amounts
    for discrepancy in matching.discrepancies:
        assert discrepancy.explanation.endswith(".")
        with localcontext(prec=60):
            assert discrepancy.difference == discrepancy.provider - (discrepancy.metered or 0)


@given(st.dictionaries(places, values, max_size=20))
def test_what_is_the_same_on_both_sides_has_no_discrepancy(ours: dict[Place, Decimal]) -> None:
    theirs = {place: Sums(quantity=value) for place, value in ours.items()}
    assert match(theirs, ours, evidence()).discrepancies == ()


def test_credits_and_taxes_are_listed_as_what_no_usage_is_behind() -> None:
    provided = {
        at("input_tokens"): Sums(amount=Decimal("0.02")),
        at("credits"): Sums(amount=Decimal("-0.5")),
        (DAY, ALL, "tax"): Sums(amount=Decimal("0.1")),
    }
    matching = match(provided, numbers({at("input_tokens"): 10_000}), evidence())
    assert causes(matching) == {
        ("credits", DiscrepancyKind.AMOUNT): Cause.NOT_USAGE,
        ("tax", DiscrepancyKind.AMOUNT): Cause.NOT_USAGE,
    }
    assert (matching.billed, matching.expected) == (Decimal("-0.38"), Decimal("0.02"))


def test_a_cost_of_what_nobody_used_is_of_missing_events() -> None:
    provided = {at(ALL, model="other"): Sums(amount=Decimal("0.5"))}
    matching = match(provided, numbers({at("input_tokens"): 10_000}), evidence())
    assert causes(matching) == {(ALL, DiscrepancyKind.AMOUNT): Cause.MISSING_EVENTS}


def test_whole_prompts_are_compared_with_all_that_prompts_are_metered_by() -> None:
    provided = quantities({at("prompt_tokens"): 1_300, at("output_tokens"): 10})
    metered = {at("input_tokens"): 100, at("cached_input_tokens"): 1_000, at("output_tokens"): 10}
    written = metered | {at("cache_write_tokens"): 200}
    assert match(provided, numbers(written), evidence()).discrepancies == ()
    [difference] = match(provided, numbers(metered), evidence()).discrepancies
    assert (difference.place, difference.difference) == (at("prompt_tokens"), 200)


def test_written_cache_is_compared_where_it_is_metered() -> None:
    provided = quantities({at("input_tokens"): 5, at("cache_write_tokens"): 3})
    apart = numbers({at("input_tokens"): 5, at("cache_write_tokens"): 3})
    together = numbers({at("input_tokens"): 8})
    for metered in (apart, together):
        assert match(provided, metered, evidence()).discrepancies == ()
    assert match(provided, together, evidence()).totals == {"input_tokens": (8, 8)}
