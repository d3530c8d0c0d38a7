"""Lines are divided by who used what they price; shared costs as the policy says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.chargeback.rules.allocation import Allocation
from backend.chargeback.rules.documents import CostDocument, Entry
from backend.chargeback.rules.statements import Names, statement
from backend.chargeback.rules.timeline import Timeline
from backend.pricing.periods import INSTANT
from backend_client.types.chargeback import ChargebackMode, MonthState, MonthSummary, Policy
from backend_client.types.spend import Period
from tests.chargeback.divided import (
    APRIL,
    ENDS,
    JANUARY,
    MARCH,
    by_place,
    divided,
    invoice,
    line,
    policy_of,
    used_by,
)

pytestmark = pytest.mark.fast

THREE = policy_of("eng/search", "eng/chat", "ops/support")
EVEN_FEES = {"costs": ["fee"], "split": "even"}


def test_usage_goes_where_it_was_used_and_the_rest_is_shown() -> None:
    usage = {"search": 50, "chat": 30, "other": 20}
    entries = divided({JANUARY: THREE}, usage, invoice(line("input", "100.00")))
    assert by_place(entries) == {
        "eng/search": Decimal("50.00"),
        "eng/chat": Decimal("30.00"),
        "": Decimal("20.00"),
    }


def test_a_fee_is_nobodys_until_a_rule_divides_it() -> None:
    fee = invoice(line("fee", "100.00"))
    assert by_place(divided({JANUARY: THREE}, {"chat": 1}, fee)) == {"": Decimal("100.00")}
    even = THREE.model_copy(update={"shared": policy_of(shared=[EVEN_FEES]).shared})
    assert by_place(divided({JANUARY: even}, {"chat": 1}, fee)) == {
        "eng/chat": Decimal("33.34"),
        "eng/search": Decimal("33.33"),
        "ops/support": Decimal("33.33"),
    }


@pytest.mark.parametrize(
    ("rule", "shares"),
    [
        ({"split": "even", "among": ["eng"]}, {"eng/chat": "50.00", "eng/search": "50.00"}),
        (
            {
                "split": "fixed",
                "parts": [{"code": "chat", "part": "70"}, {"code": "support", "part": "30"}],
            },
            {"eng/chat": "70.00", "ops/support": "30.00"},
        ),
        ({"split": "usage"}, {"eng/chat": "60.00", "": "40.00"}),
        ({"split": "usage", "among": ["eng"]}, {"eng/chat": "100.00"}),
        # Nobody of those named used anything: nobody can be asked
        ({"split": "usage", "among": ["ops"]}, {"": "100.00"}),
        ({"costs": ["minimum"], "split": "even"}, {"": "100.00"}),
        ({"items": ["other"], "split": "even"}, {"": "100.00"}),
        ({"items": ["fee"], "split": "even", "among": ["support"]}, {"ops/support": "100.00"}),
    ],
)
def test_the_ways_to_share(rule: dict[str, object], shares: dict[str, str]) -> None:
    policy = policy_of("eng/search", "eng/chat", "ops/support", shared=[rule])
    usage = {"chat": 60, "other": 40}
    document = invoice(line("input", "10.00"), line("fee", "100.00"))
    fees = [e for e in divided({JANUARY: policy}, usage, document) if e.key.item.item == "fee"]
    assert by_place(fees) == {path: Decimal(amount) for path, amount in shares.items()}


def test_a_reduction_follows_what_it_reduces() -> None:
    document = invoice(
        line("input", "80.00"), line("fee", "100.00"), line("early", "-8.00", kind="discount")
    )
    entries = divided({JANUARY: THREE}, {"chat": 3, "search": 1}, document)
    assert by_place([e for e in entries if e.key.item.kind == "discount"]) == {
        "eng/chat": Decimal("-6.00"),
        "eng/search": Decimal("-2.00"),
    }


def test_what_credit_paid_in_advance_is_nobodys_saving() -> None:
    document = invoice(line("input", "80.00"), line("wallet", "-80.00", kind="prepaid"))
    assert by_place(divided({JANUARY: THREE}, {"chat": 1}, document)) == {
        "eng/chat": Decimal("80.00"),
        "": Decimal("-80.00"),
    }


def test_a_reorganization_does_not_rewrite_the_past() -> None:
    """A cost center moves to another department in the middle of the month."""
    moved = policy_of("eng/search", "ops/chat")
    entries = divided(
        {JANUARY: policy_of("eng/search", "eng/chat"), date(2026, 3, 17): moved},
        {"chat": 60, "search": 40},
        invoice(line("input", "100.00")),
    )
    assert by_place(entries) == {
        "eng/chat": Decimal("30.00"),
        "ops/chat": Decimal("30.00"),
        "eng/search": Decimal("40.00"),
    }
    assert by_place(
        divided({date(2026, 4, 1): moved}, {"chat": 1}, invoice(line("input", "1.00")))
    ) == {"": Decimal("1.00")}


def test_fees_are_shared_by_the_time_that_each_policy_held() -> None:
    before = policy_of("a", shared=[EVEN_FEES])
    after = policy_of("a", "b", shared=[EVEN_FEES])
    fee = invoice(line("fee", "31.00"))
    entries = divided({JANUARY: before, date(2026, 3, 11): after}, {}, fee)
    # 10 days of a alone, 21 days of both
    assert by_place(entries) == {"a": Decimal("20.50"), "b": Decimal("10.50")}


def test_tax_is_divided_as_the_costs_are() -> None:
    document = invoice(line("input", "100.00"), taxes=[("VAT", Decimal("19.00"))])
    entries = divided({JANUARY: THREE}, {"chat": 3, "other": 1}, document)
    assert by_place([e for e in entries if e.is_tax]) == {
        "eng/chat": Decimal("14.25"),
        "": Decimal("4.75"),
    }


def test_a_label_names_its_cost_center() -> None:
    policy = policy_of("search", rules=[{"label": "team"}, {"application": "app", "to": "search"}])
    timeline = Timeline([(JANUARY, policy)], "UTC")
    reign = timeline.at(MARCH)
    assert reign.place_of("other", "", {"team": "search"}) == ("search",)
    assert reign.place_of("other", "", {"team": "unheard of"}) == ()
    assert reign.place_of("app", "", {"team": "unheard of"}) == ("search",)
    narrow = policy_of(
        "a",
        "b",
        rules=[{"key": "k", "label": "team", "value": "x", "to": "a"}, {"key": "k", "to": "b"}],
    )
    reign = Timeline([(JANUARY, narrow)], "UTC").at(MARCH)
    assert reign.place_of("app", "k", {"team": "x"}) == ("a",)
    assert reign.place_of("app", "k", {"team": "y"}) == ("b",)
    assert reign.place_of("app", "other", {"team": "x"}) == ()


@pytest.mark.parametrize(
    ("transfer", "charged"),
    [
        ({"price": "cost"}, "70.00"),
        ({"price": "cost_plus", "percent": "10"}, "77.00"),
        ({"price": "list"}, "80.00"),
    ],
)
def test_the_transfer_price(transfer: dict[str, str], charged: str) -> None:
    policy = policy_of("chat", transfer=transfer)
    document = invoice(line("input", "80.00"), line("early", "-10.00", kind="discount"))
    entries = divided({JANUARY: policy}, {"chat": 1}, document)
    assert sum(entry.charged for entry in entries) == Decimal(charged)


def test_a_part_of_a_period_that_was_billed_before_is_taken_off_where_it_was_given() -> None:
    part = invoice(line("input", "30.00", series="inv_FB-0"), number="FB-0")
    closing = invoice(line("input", "100.00"), line("FB-0", "-30.00", kind="invoiced_before"))
    entries = divided({JANUARY: THREE}, {"chat": 2, "search": 1}, part, closing)
    assert by_place(entries) == {"eng/chat": Decimal("66.67"), "eng/search": Decimal("33.33")}


def april(posted: list[Entry], usage: dict[str, int], policy: Policy = THREE) -> Allocation:
    timeline = Timeline([(JANUARY, policy)], "UTC")
    return Allocation(APRIL, "USD", timeline, {MARCH: used_by(timeline, usage)}, posted)


def test_late_usage_is_borne_by_who_used_it_in_the_next_month() -> None:
    posted = divided({JANUARY: THREE}, {"chat": 50, "search": 50}, invoice(line("input", "100.00")))
    allocation = april(posted, {"chat": 50, "search": 60})
    allocation.add(invoice(line("input", "10.00"), month=APRIL, number="FB-2"))
    assert by_place(allocation.entries) == {"eng/search": Decimal("10.00")}
    assert all(entry.adjustment for entry in allocation.entries)


def test_usage_that_moved_between_departments_moves_its_cost() -> None:
    posted = divided({JANUARY: THREE}, {"chat": 50, "search": 50}, invoice(line("input", "100.00")))
    allocation = april(posted, {"chat": 80, "search": 20})
    allocation.move_within({MARCH})
    assert by_place(allocation.entries) == {
        "eng/chat": Decimal("30.00"),
        "eng/search": Decimal("-30.00"),
    }
    assert {entry.number for entry in allocation.entries} == {None}


def test_a_closed_invoice_that_became_void_is_taken_back_as_it_was() -> None:
    posted = divided({JANUARY: THREE}, {"chat": 50, "search": 50}, invoice(line("input", "100.00")))
    allocation = april(posted, {"chat": 80, "search": 20})
    allocation.take_back("inv_FB-1")
    assert by_place(allocation.entries) == {
        "eng/chat": Decimal("-50.00"),
        "eng/search": Decimal("-50.00"),
    }
    allocation.add(invoice(line("input", "100.00"), number="FB-2"))  # issued again
    assert by_place(allocation.entries) == {
        "eng/chat": Decimal("30.00"),
        "eng/search": Decimal("-30.00"),
    }


CENTERS = ("eng/search", "eng/chat", "ops/support")
NAMES = ("search", "chat", "support", "other")
AMOUNTS = st.integers(-100_000, 1_000_000).map(lambda cents: Decimal(cents).scaleb(-2))
USAGE = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 10**9))
KINDS = {"input": "charge", "output": "charge", "fee": "charge", "early": "discount"}
KINDS |= {"paid": "minimum", "wallet": "prepaid", "ten": "coupon", "c": "true_up"}
SHARED = st.lists(
    st.one_of(
        st.just({"split": "usage"}),
        st.just({"split": "even"}),
        st.just({"costs": ["fee"], "split": "even", "among": ["eng"]}),
        st.just({"costs": ["reduction"], "split": "usage", "among": ["ops"]}),
        st.just({"split": "fixed", "parts": [{"code": "chat", "part": "0.3"}]}),
    ),
    max_size=2,
)
DOCUMENTS = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.sampled_from(list(KINDS)), AMOUNTS, st.sampled_from([MARCH, APRIL])),
            min_size=1,
            max_size=4,
        ),
        AMOUNTS,
    ),
    max_size=3,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    shared=SHARED,
    later=SHARED,
    percent=st.sampled_from([0, 7, 33]),
    usage=st.tuples(USAGE, USAGE, USAGE),
    march=DOCUMENTS,
    then=DOCUMENTS,
    voided=st.booleans(),
)
def test_departments_and_what_nobody_bears_add_up_to_the_invoices(
    shared: list[dict[str, object]],
    later: list[dict[str, object]],
    percent: int,
    usage: tuple[dict[str, int], dict[str, int], dict[str, int]],
    march: list[tuple[list[tuple[str, Decimal, object]], Decimal]],
    then: list[tuple[list[tuple[str, Decimal, object]], Decimal]],
    voided: bool,
) -> None:
    """Line by line and month by month, whatever came late, moved or became void."""
    plus = {"price": "cost_plus", "percent": str(percent)}
    policies = {
        JANUARY: policy_of(*CENTERS, shared=shared, transfer=plus),
        date(2026, 3, 12): policy_of("eng/search", "ops/chat", shared=[]),
        date(2026, 4, 20): policy_of(*CENTERS, shared=later),
    }
    timeline = Timeline(policies.items(), "UTC")

    def documents(
        given_lines: list[tuple[list[tuple[str, Decimal, object]], Decimal]], month: object
    ) -> list[CostDocument]:
        return [
            invoice(
                *(
                    line(item, amount, kind=KINDS[item], start=MARCH if month == MARCH else start)
                    for item, amount, start in lines
                ),
                month=month,
                number=f"{month:%m}-{place}",
                taxes=[("VAT", tax)],
            )
            for place, (lines, tax) in enumerate(given_lines)
        ]

    first = Allocation(MARCH, "USD", timeline, {MARCH: used_by(timeline, usage[0])})
    for document in documents(march, MARCH):
        first.add(document)
    closed = list(first.entries)
    usages = {
        MARCH: used_by(timeline, usage[1]),
        APRIL: used_by(timeline, usage[2], start=APRIL),
    }
    second = Allocation(APRIL, "USD", timeline, usages, closed)
    void = documents(march, MARCH)[0].id if voided and march else ""
    second.take_back(void)
    for document in documents(then, APRIL):
        second.add(document)
    second.move_within({MARCH})
    assert first.entries == closed

    for entries, sources in (
        (closed, documents(march, MARCH)),
        (second.entries, documents(then, APRIL)),
    ):
        for document in sources:
            own = [entry for entry in entries if entry.document == document.id]
            assert sum(e.cost for e in own) == sum(part.amount for part in document.lines)
            assert sum(e.tax for e in own) == sum(tax for _, tax in document.taxes)
    moved = [entry for entry in second.entries if not entry.document]
    assert sum(entry.amount for entry in moved) == 0

    for month, entries in ((MARCH, closed), (APRIL, second.entries)):
        reigns = timeline.over(month, ENDS[month])
        summary = MonthSummary(
            month=month.date(),
            period=Period(start=month, end=ENDS[month], time_zone="UTC"),
            state=MonthState.OPEN,
            mode=ChargebackMode.SHOWBACK,
        )
        last = timeline.at(ENDS[month] - INSTANT)
        shown = statement(summary, entries, last, Names.of(reigns), "USD")
        top = [row for row in shown.rows if len(row.path) <= 1]
        assert sum(row.cost.amount for row in top) == shown.cost.amount
        assert sum(row.tax.amount for row in top) == shown.tax.amount
        assert shown.cost.amount == sum(entry.cost for entry in entries)
        assert shown.charged.amount - shown.allocated.amount == shown.margin.amount
        parts = (shown.allocated, shown.unallocated, shown.prepaid)
        assert sum(part.amount for part in parts) == shown.cost.amount
        for row in shown.rows:
            below = [r for r in shown.rows if r.path[:-1] == row.path and r.path]
            if row.path and below:
                assert sum(r.cost.amount for r in below) == row.cost.amount


def test_three_levels_a_reorganization_and_thirds_add_up_to_the_invoice() -> None:
    """On the 11th of March a whole department moves below another."""
    before = policy_of("co/eng/search", "co/eng/chat", "co/ops/support", shared=[EVEN_FEES])
    after = policy_of("co/ops/eng/search", "co/ops/eng/chat", "co/ops/support", shared=[EVEN_FEES])
    document = invoice(line("fee", "100.00"), line("input", "62.00"))
    usage = {"search": 31, "chat": 20, "other": 11}
    entries = divided({JANUARY: before, date(2026, 3, 11): after}, usage, document)
    fees = by_place([entry for entry in entries if entry.key.item.item == "fee"])
    assert fees == {
        "co/eng/chat": Decimal("10.75"),
        "co/eng/search": Decimal("10.75"),
        "co/ops/support": Decimal("33.34"),
        "co/ops/eng/chat": Decimal("22.58"),
        "co/ops/eng/search": Decimal("22.58"),
    }
    summary = MonthSummary(
        month=MARCH.date(),
        period=Period(start=MARCH, end=APRIL, time_zone="UTC"),
        state=MonthState.OPEN,
        mode=ChargebackMode.SHOWBACK,
    )
    timeline = Timeline([(JANUARY, before), (date(2026, 3, 11), after)], "UTC")
    names = Names.of(timeline.over(MARCH, APRIL))
    shown = statement(summary, entries, timeline.at(APRIL - INSTANT), names, "USD")
    sums = {"/".join(row.path): row.cost.amount for row in shown.rows}
    assert sums["co"] + sums[""] == shown.cost.amount == Decimal("162.00")
    assert sums["co"] == sums["co/eng"] + sums["co/ops"]
    assert sums["co/ops"] == sums["co/ops/eng"] + sums["co/ops/support"]
    assert sums[""] == Decimal("11.00")
