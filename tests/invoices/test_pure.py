"""What needs no database: lines and differences, reminders, states, numbers, how things read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.customers.dunning import next_step_at, steps_reached
from backend.errors import Conflict
from backend.invoices.issuing.numbering import credit_note_series, invoice_series, number_of
from backend.invoices.paper import words
from backend.invoices.paper.typeface import marked_up
from backend.invoices.rules.lifecycle import Balance, check_move, due
from backend.invoices.rules.lines import (
    ComposedLine,
    InvoicedInPart,
    Item,
    invoiced_items,
    late_lines,
    less_invoiced_before,
    paid_when_used,
    taxable_of,
    total_of,
    worth_invoicing,
)
from backend.wallets.used_by_calls import UsedByCalls
from backend_client.types.common import Money
from backend_client.types.invoices import InvoiceState
from backend_client.types.spend import Period

pytestmark = pytest.mark.fast

PERIOD = Period(
    start=datetime(2026, 3, 1, tzinfo=UTC), end=datetime(2026, 4, 1, tzinfo=UTC), time_zone="UTC"
)
DUE = datetime(2026, 5, 1, tzinfo=UTC)
SCHEDULE = {"remind": 1, "warn": 7, "suspend": 21}

items = st.builds(
    Item,
    st.sampled_from(["charge", "discount", "minimum", "coupon"]),
    st.sampled_from(["paid", "free"]),
    st.integers(1, 2),
    st.sampled_from(["input", "output"]),
)
amounts = st.decimals(-1000, 1000, places=2)
# Made once: Hypothesis checks a strategy when it is first drawn from, longer than it takes to draw
some_amounts = st.lists(amounts, max_size=8)
no_or_positive = st.none() | amounts.map(abs)


@st.composite
def lines(draw: st.DrawFn) -> list[ComposedLine]:
    """Lines of a period; an item may have several, as a charge on trial and after it has."""
    return [
        ComposedLine(draw(items), "A line", PERIOD, amount, amount, draw(no_or_positive))
        for amount in draw(some_amounts)
    ]


@given(ratings=st.lists(lines(), min_size=1, max_size=5))
def test_what_was_invoiced_and_the_differences_add_up_to_the_last_rating(
    ratings: list[list[ComposedLine]],
) -> None:
    first, *again = ratings
    invoiced = list(first)
    for now in again:
        invoiced += late_lines(now, invoiced_items(invoiced))
        assert total_of(invoiced) == total_of(now)
        # Once it is invoiced, there is nothing more to ask
        assert not worth_invoicing(late_lines(now, invoiced_items(invoiced)))


@given(ratings=st.lists(lines(), min_size=1, max_size=5))
def test_what_is_not_worth_an_invoice_is_not_lost(ratings: list[list[ComposedLine]]) -> None:
    """What cancels out takes no number, and is none the less counted when usage comes late."""
    invoiced: list[ComposedLine] = []
    for now in ratings:
        late = late_lines(now, invoiced_items(invoiced))
        if worth_invoicing(late):
            invoiced += late
        assert total_of(invoiced) == total_of(now)


def test_a_period_that_cancels_out_takes_no_number() -> None:
    def line(kind: str, amount: str, period: Period = PERIOD) -> ComposedLine:
        of = Item(kind, "paid", 1, "input")
        return ComposedLine(of, "A line", period, Decimal(amount), Decimal(amount))

    on_trial = [line("charge", "12.00"), line("trial", "-12.00")]
    assert not worth_invoicing(on_trial)
    assert worth_invoicing([*on_trial, line("charge", "0.01")])
    # Each is the other period's record: dropped, the next invoice would ask for both again
    february = Period(
        start=datetime(2026, 2, 1, tzinfo=UTC), end=PERIOD.start, time_zone=PERIOD.time_zone
    )
    assert worth_invoicing([line("charge", "12.00"), line("charge", "-12.00", february)])
    closing = less_invoiced_before(PERIOD, [InvoicedInPart("FB-1", Decimal("12.00"))])
    assert worth_invoicing([line("charge", "12.00"), *closing])


@given(rated=lines(), parts=st.lists(st.tuples(amounts, amounts), max_size=3))
def test_what_was_invoiced_in_part_is_taken_off_once(
    rated: list[ComposedLine], parts: list[tuple[Decimal, Decimal]]
) -> None:
    before = [
        InvoicedInPart(f"FB-{number}", taxable - redeemed, -redeemed)
        for number, (taxable, redeemed) in enumerate(parts)
    ]
    whole = rated + less_invoiced_before(PERIOD, before)
    assert total_of(whole) + sum(part.subtotal for part in before) == total_of(rated)
    # Tax falls once: on what parts were taxed on then, and on the rest now
    assert taxable_of(whole) + sum(taxable for taxable, _ in parts) == taxable_of(rated)
    # Late usage is compared with the whole, whatever part of it was asked for earlier
    assert late_lines(rated, invoiced_items(whole)) == []


@given(
    charges=lines(),
    used=st.decimals(0, 1000, places=6),
    redeemed=st.decimals(0, 1000, places=6),
    paid=st.decimals(0, 1000, places=2),
)
def test_tax_falls_once_on_what_was_bought_and_never_on_what_was_given(
    charges: list[ComposedLine], used: Decimal, redeemed: Decimal, paid: Decimal
) -> None:
    calls = UsedByCalls(used + redeemed, redeemed)
    paid = paid if calls.amount else Decimal(0)
    part = calls.part_redeemed(paid, "USD")
    credit = paid_when_used(PERIOD, paid, redeemed=part)
    bill = [*charges, *credit]
    assert 0 <= part <= paid
    assert total_of(bill) == total_of(charges) - paid
    # What is taxed is all that anybody pays for: by this bill, or when the credit was bought
    assert taxable_of(bill) == total_of(charges) - (paid - part)
    if not used:
        assert part == paid
    if not redeemed:
        assert part == 0
    # Rated again with the same usage, nothing is asked for or taxed a second time
    assert late_lines(bill, invoiced_items(bill)) == []


@given(days=st.integers(0, 60), seconds=st.integers(0, 86_399))
def test_a_step_is_reached_when_its_days_are_over_and_stays_reached(
    days: int, seconds: int
) -> None:
    now = DUE + timedelta(days=days, seconds=seconds)
    reached = steps_reached(DUE, now, SCHEDULE)
    assert reached == [step for step, after in SCHEDULE.items() if days >= after]
    coming = next_step_at(DUE, now, SCHEDULE)
    assert (coming is None) == (len(reached) == len(SCHEDULE))
    if coming is not None:
        assert steps_reached(DUE, coming - timedelta(microseconds=1), SCHEDULE) == reached
        assert len(steps_reached(DUE, coming, SCHEDULE)) == len(reached) + 1


def test_nothing_is_reached_before_it_is_due() -> None:
    assert steps_reached(DUE, DUE - timedelta(seconds=1), {"at once": 0}) == []
    assert steps_reached(DUE, DUE, {"at once": 0}) == ["at once"]


REFUSALS = {
    InvoiceState.DRAFT: "invoice_is_draft",
    InvoiceState.FINALIZED: "invoice_already_issued",
    InvoiceState.UNCOLLECTIBLE: "invoice_already_issued",
    InvoiceState.PAID: "invoice_already_paid",
    InvoiceState.VOID: "invoice_void",
}


@pytest.mark.parametrize(
    ("state", "may_become"),
    [
        (InvoiceState.DRAFT, {InvoiceState.FINALIZED, InvoiceState.PAID}),
        (
            InvoiceState.FINALIZED,
            {InvoiceState.PAID, InvoiceState.VOID, InvoiceState.UNCOLLECTIBLE},
        ),
        (InvoiceState.UNCOLLECTIBLE, {InvoiceState.PAID, InvoiceState.VOID}),
        (InvoiceState.PAID, set()),
        (InvoiceState.VOID, set()),
    ],
)
def test_states_change_one_way(state: InvoiceState, may_become: set[InvoiceState]) -> None:
    for wanted in InvoiceState:
        if wanted in may_become:
            check_move(state, wanted)
        else:
            with pytest.raises(Conflict) as refused:
                check_move(state, wanted)
            assert refused.value.code == REFUSALS[state]


def test_what_is_due_is_never_below_zero() -> None:
    assert due(InvoiceState.FINALIZED, Balance(Decimal(10), Decimal(3), Decimal(2))) == 5
    assert due(InvoiceState.FINALIZED, Balance(Decimal(-10))) == 0
    assert due(InvoiceState.VOID, Balance(Decimal(10))) == 0
    assert Balance(Decimal(-10), Decimal(-10)).settled


def test_no_series_of_one_tenant_is_that_of_another() -> None:
    """A slug has neither capitals nor a hyphen at its end, so credit notes can't meet invoices."""
    series = {invoice_series("FB", slug) for slug in ("a", "a-cn", "a-1")}
    assert credit_note_series("FB", "a") not in series
    assert number_of("FB-a", 7) == "FB-a-000007"
    assert number_of("FB-a", 1_234_567) == "FB-a-1234567"


def test_numbers_and_days_read_the_same_in_every_locale() -> None:
    assert words.money(Money(amount=Decimal("-1234.50"), currency="USD")) == "−1,234.50 USD"
    assert words.number(Decimal("1234567.500")) == "1,234,567.5"
    assert words.number(Decimal("0E+3")) == "0"
    assert words.date(datetime(2026, 3, 31, 23, tzinfo=UTC), "Europe/Berlin") == "1 Apr 2026"
    assert words.period(PERIOD) == "1 Mar 2026 – 31 Mar 2026"


def test_letters_are_set_in_a_face_that_has_them() -> None:
    assert marked_up("Łódź & Ωμέγα <b>") == "Łódź &amp; Ωμέγα &lt;b&gt;"
    assert marked_up("東京 Inc") == '<font name="STSong-Light">東京</font> Inc'
    assert "HYSMyeongJo-Medium" in marked_up("서울")
    assert "HeiseiKakuGo-W5" in marked_up("カナ")
