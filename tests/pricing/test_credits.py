"""Credits burn in one order and are conserved, whatever is done with them, however often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from backend.pricing.credit.entries import Account, LedgerEntry
from backend.pricing.credit.grants import Grant, GrantKind, burn_order
from backend.pricing.credit.rules import RecurringGrant, TopUpRule
from backend.pricing.credit.wallet import (
    HoldClosed,
    InsufficientCredit,
    Wallet,
    wallet_as_of,
)
from backend.pricing.money import exact_arithmetic
from backend.pricing.periods import BillingPeriod, billing_period, next_billing_period
from tests.support.examples import examples

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 10, tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
DAY = timedelta(days=1)
MODELS = ("large", "small", None)


def grant(name: str, amount: str = "10", **more: object) -> Grant:
    fields: dict[str, object] = {
        "kind": GrantKind.PAID,
        "amount": Decimal(amount),
        "starts_at": NOW,
    }
    return Grant(name, **(fields | more))


def wallet(*grants: Grant) -> Wallet:
    wallet = Wallet()
    for grant in grants:
        wallet.append(wallet.grant(grant, NOW), [grant])
    return wallet


def moved(entries: list[LedgerEntry]) -> list[tuple[str, str]]:
    return [(entry.grant_id, str(entry.amount)) for entry in entries]


def test_the_burn_order() -> None:
    in_order = [
        grant("a", expires_at=NOW + DAY, priority=200),
        grant("b", expires_at=NOW + 2 * DAY, priority=1),
        grant("c", expires_at=NOW + 2 * DAY, kind=GrantKind.PROMOTIONAL, starts_at=NOW),
        grant("d", expires_at=NOW + 2 * DAY, starts_at=NOW - DAY),
        grant("e", expires_at=NOW + 2 * DAY, starts_at=NOW),
        grant("f", priority=1),
        grant("g", kind=GrantKind.PROMOTIONAL),
        grant("h", starts_at=NOW - DAY),
        grant("i"),
        grant("j"),
    ]
    assert burn_order(reversed(in_order)) == in_order


def test_spending_burns_in_order_and_only_what_covers_the_model() -> None:
    held = wallet(
        grant("soon", "1", expires_at=NOW + DAY),
        grant("small", "5", expires_at=NOW + 2 * DAY, models=frozenset({"small"})),
        grant("later", "3", starts_at=NOW + DAY),
        grant("any", "10"),
    )
    assert moved(held.spend("c", Decimal("2.5"), NOW, "large")) == [("soon", "1"), ("any", "1.5")]
    assert moved(held.spend("c", Decimal("2.5"), NOW, "small")) == [("soon", "1"), ("small", "1.5")]
    assert held.available(NOW, "small") == 16
    assert held.available(NOW, "large") == 11
    assert held.available(NOW + DAY, "small") == 18


def test_what_is_missing_is_told_and_nothing_moves() -> None:
    held = wallet(grant("a", "3"))
    with pytest.raises(InsufficientCredit) as caught:
        held.reserve("r", Decimal("3.01"), NOW)
    assert caught.value.missing == Decimal("0.01")
    assert held.available(NOW) == 3


def test_a_hold_is_settled_once_and_the_rest_comes_back() -> None:
    held = wallet(grant("a", "3", expires_at=NOW + DAY), grant("b", "3"))
    held.append(held.reserve("r", Decimal(5), NOW))
    assert held.available(NOW) == 1
    held.append(held.settle("r", Decimal(4), NOW))
    assert (held.balance(Account.USED, "a"), held.balance(Account.USED, "b")) == (3, 1)
    assert held.available(NOW) == 2
    for again in (
        lambda: held.settle("r", Decimal(4), NOW),
        lambda: held.release("r", NOW),
        lambda: held.release("unknown", NOW),
    ):
        with pytest.raises(HoldClosed):
            again()
    with pytest.raises(ValueError, match="exists"):
        held.reserve("r", Decimal(1), NOW)


def test_more_than_was_reserved_is_not_settled() -> None:
    held = wallet(grant("a"))
    held.append(held.reserve("r", Decimal(5), NOW))
    with pytest.raises(InsufficientCredit):
        held.settle("r", Decimal(6), NOW)
    held.append(held.release("r", NOW))
    assert held.available(NOW) == 10


def test_what_is_reserved_expires_when_it_comes_back() -> None:
    held = wallet(grant("a", "10", expires_at=NOW + DAY))
    held.append(held.reserve("r", Decimal(4), NOW))
    held.append(held.expire(NOW + DAY))
    assert (held.balance(Account.EXPIRED), held.balance(Account.RESERVED)) == (6, 4)
    held.append(held.settle("r", Decimal(1), NOW + DAY))
    assert held.available(NOW + DAY) == 0
    held.append(held.expire(NOW + DAY))
    assert (held.balance(Account.EXPIRED), held.balance(Account.USED)) == (9, 1)
    assert held.expire(NOW + DAY) == []


def test_only_bought_credit_is_refunded() -> None:
    held = wallet(grant("paid"), grant("gift", kind=GrantKind.PROMOTIONAL))
    held.append(held.spend("c", Decimal(12), NOW))
    held.append(held.refund("paid", NOW))
    assert held.balance(Account.REFUNDED) == 8
    assert held.refund("paid", NOW) == []
    with pytest.raises(ValueError, match="not paid"):
        held.refund("gift", NOW)


def test_a_retried_grant_is_not_doubled() -> None:
    held = wallet(grant("a"))
    assert held.grant(grant("a"), NOW) == []


def test_a_ledger_that_overdraws_is_refused() -> None:
    held = wallet(grant("a", "1"))
    spent = held.spend("c", Decimal(1), NOW)
    held.append(spent)
    with pytest.raises(ValueError, match="below zero"):
        held.append(spent)


def test_recurring_grants_never_repeat_and_roll_over_up_to_their_cap() -> None:
    monthly = RecurringGrant("rule", GrantKind.PROMOTIONAL, Decimal(10), rollover_cap=Decimal(3))
    march = billing_period(NOW, "Europe/Berlin")
    april = next_billing_period(march)
    assert monthly.for_period(march) == monthly.for_period(march)
    first, second = monthly.for_period(march), monthly.for_period(april)
    assert (first.id, first.amount, first.expires_at) == ("rule:2026-02-28T23:00Z", 10, march.end)
    assert (second.id, second.amount) == ("rule:2026-03-31T22:00Z", 10)
    carried = [monthly.carried(april, Decimal(left), in_arrears=left < 8) for left in (0, 2, 8)]
    assert [grant and (grant.id, grant.amount, grant.expires_at) for grant in carried] == [
        None,
        ("rule:2026-03-31T22:00Z:carried", 2, april.end),
        ("rule:2026-03-31T22:00Z:rollover", 3, april.end),
    ]


def test_credit_in_arrears_pays_for_its_own_time_until_that_is_billed() -> None:
    march = billing_period(NOW, "UTC")
    april = next_billing_period(march)
    later = april.start + 3 * DAY
    old = grant("old", starts_at=march.start, expires_at=march.end, in_arrears=True)
    new = grant("new", starts_at=april.start, expires_at=april.end, in_arrears=True)
    held = wallet(old, new, grant("bought", "1"), grant("small", models=frozenset({"small"})))
    assert held.available(later) == 11
    assert held.available_for_bill(march, later) == 11
    assert held.expire(later) == []
    entries = held.pay_bill("inv_1", Decimal("10.5"), march, later)
    assert moved(entries) == [("old", "10"), ("bought", "0.5")]
    held.append(held.pay_bill("inv_1", Decimal(4), march, later))
    closed = held.close(march.end, later)
    assert moved(closed) == [("old", "6")]
    held.append(closed)
    assert held.close(march.end, later) == []
    assert held.available_for_bill(april, later) == 11


@pytest.mark.parametrize(
    ("balance", "today", "pending", "due"),
    [(5, 0, False, 0), (4, 0, False, 20), (4, 0, True, 0), (4, 30, False, 20), (4, 31, False, 0)],
)
def test_a_top_up_is_bought_once_and_within_its_ceiling(
    balance: int, today: int, pending: bool, due: int
) -> None:
    top_up = TopUpRule(threshold=Decimal(5), amount=Decimal(20), daily_ceiling=Decimal(50))
    assert top_up.due(Decimal(balance), Decimal(today), pending=pending) == due


amounts = st.decimals("0.000001", 100, places=6)


class WalletLaws(RuleBasedStateMachine):
    """Any acts in any order, at times that go on: nothing appears, vanishes or goes below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.wallet = Wallet()
        self.ledger: list[LedgerEntry] = []
        self.now = NOW
        self.holds: list[str] = []
        self.snapshots: list[tuple[datetime, Decimal]] = []

    def keep(self, entries: list[LedgerEntry], *grants: Grant) -> None:
        self.wallet.append(entries, grants)
        self.ledger += entries

    @rule(hours=st.integers(1, 30))
    def time_goes_on(self, hours: int) -> None:
        self.snapshots.append((self.now, self.wallet.available(self.now, "large")))
        self.now += timedelta(hours=hours)

    @rule(
        amount=amounts,
        kind=st.sampled_from(GrantKind),
        days=st.none() | st.integers(1, 5),
        models=st.sampled_from([None, frozenset({"large"}), frozenset({"small"})]),
        priority=st.integers(1, 2),
        in_arrears=st.booleans(),
    )
    def grant(
        self, amount: Decimal, kind: GrantKind, days: int | None, models, priority, in_arrears: bool
    ) -> None:
        expires_at = None if days is None else self.now + days * DAY
        name = f"g{len(self.wallet.grants)}"
        grant = Grant(name, kind, amount, self.now, expires_at, priority, models, in_arrears)
        self.keep(self.wallet.grant(grant, self.now), grant)

    @rule(amount=amounts, model=st.sampled_from(MODELS), reserve=st.booleans())
    def draw(self, amount: Decimal, model: str | None, reserve: bool) -> None:
        available = self.wallet.available(self.now, model)
        name = f"r{len(self.ledger)}"
        act = self.wallet.reserve if reserve else self.wallet.spend
        if amount > available:
            with pytest.raises(InsufficientCredit) as caught:
                act(name, amount, self.now, model)
            assert caught.value.missing == amount - available
            return
        entries = act(name, amount, self.now, model)
        self._burns_in_order(entries, lambda grant: grant.covers(model, self.now))
        self.keep(entries)
        assert self.wallet.available(self.now, model) == available - amount
        if reserve:
            self.holds.append(name)

    @rule(amount=amounts, ago=st.integers(0, 6))
    def pay_bill(self, amount: Decimal, ago: int) -> None:
        """A bill of a day, made up to six days after it began."""
        start = self.now - ago * DAY
        period = BillingPeriod(start, start + DAY, "UTC")
        available = self.wallet.available_for_bill(period, self.now)
        name = f"b{len(self.ledger)}"
        if amount > available:
            with pytest.raises(InsufficientCredit):
                self.wallet.pay_bill(name, amount, period, self.now)
            return
        entries = self.wallet.pay_bill(name, amount, period, self.now)
        for entry in entries:
            grant = self.wallet.grants[entry.grant_id]
            assert grant.models is None
            until = grant.expires_at or NEVER
            in_time = grant.starts_at < period.end and until > period.start
            assert in_time if grant.in_arrears else until > self.now
        self._burns_in_order(entries, lambda grant: grant.pays_bill_of(period, self.now))
        self.keep(entries)
        assert self.wallet.available_for_bill(period, self.now) == available - amount

    def _burns_in_order(
        self, entries: list[LedgerEntry], usable_for: Callable[[Grant], bool]
    ) -> None:
        """All but the last grant that is drawn on is emptied, and none before them is left out."""
        usable = [
            grant
            for grant in burn_order(self.wallet.grants.values())
            if usable_for(grant) and self.wallet.balance(Account.AVAILABLE, grant.id)
        ]
        drawn = [entry.grant_id for entry in entries]
        assert drawn == [grant.id for grant in usable[: len(drawn)]]
        for entry in entries[:-1]:
            assert entry.amount == self.wallet.balance(Account.AVAILABLE, entry.grant_id)

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), share=st.integers(0, 4))
    def settle(self, data: st.DataObject, share: int) -> None:
        name = data.draw(st.sampled_from(self.holds))
        held = sum(
            e.amount for e in self.ledger if e.cause == name and e.target is Account.RESERVED
        )
        used = held * share / 4
        before = self.wallet.balance(Account.USED)
        self.keep(self.wallet.settle(name, used, self.now))
        assert self.wallet.balance(Account.USED) == before + used
        self.holds.remove(name)
        with pytest.raises(HoldClosed):
            self.wallet.settle(name, used, self.now)

    @precondition(lambda self: any(entry.target is Account.USED for entry in self.ledger))
    @rule(data=st.data(), share=st.integers(1, 4))
    def give_back(self, data: st.DataObject, share: int) -> None:
        """What a call used goes back to where it came from, the last that burnt first."""
        causes = sorted({entry.cause for entry in self.ledger if entry.target is Account.USED})
        name = data.draw(st.sampled_from(causes))
        used: dict[str, Decimal] = defaultdict(Decimal)
        for entry in self.ledger:
            if entry.cause == name:
                sign = (entry.target is Account.USED) - (entry.source is Account.USED)
                used[entry.grant_id] += sign * entry.amount
        whole = sum(used.values())
        entries = self.wallet.return_used(name, used, whole * share / 4, self.now)
        given = [entry.grant_id for entry in entries]
        order = [
            grant.id for grant in burn_order(self.wallet.grants.values()) if used.get(grant.id)
        ]
        assert given == order[::-1][: len(given)]
        self.keep(entries)
        with pytest.raises(ValueError, match="less than is to be returned"):
            self.wallet.return_used(name, used, whole + 1, self.now)

    @rule()
    def expire(self) -> None:
        entries = self.wallet.expire(self.now)
        assert not any(self.wallet.grants[entry.grant_id].in_arrears for entry in entries)
        self.keep(entries)
        assert self.wallet.expire(self.now) == []

    @rule(ago=st.integers(0, 6))
    def close(self, ago: int) -> None:
        until = self.now - ago * DAY
        entries = self.wallet.close(until, self.now)
        for entry in entries:
            grant = self.wallet.grants[entry.grant_id]
            assert grant.in_arrears
            assert grant.expires_at is not None
            assert grant.expires_at <= until
        self.keep(entries)
        assert self.wallet.close(until, self.now) == []

    @precondition(lambda self: self.wallet.grants)
    @rule(data=st.data())
    def refund(self, data: st.DataObject) -> None:
        paid = [g.id for g in self.wallet.grants.values() if g.kind is GrantKind.PAID]
        if paid:
            self.keep(self.wallet.refund(data.draw(st.sampled_from(paid)), self.now))

    @invariant()
    def every_grant_is_conserved(self) -> None:
        places = [account for account in Account if account is not Account.GRANTED]
        with exact_arithmetic():
            for grant in self.wallet.grants.values():
                balances = [self.wallet.balance(account, grant.id) for account in places]
                assert min(balances) >= 0
                assert sum(balances) == grant.amount
                assert self.wallet.balance(Account.GRANTED, grant.id) == -grant.amount

    @invariant()
    def the_ledger_alone_tells_it_also_of_the_past(self) -> None:
        replayed = Wallet(self.wallet.grants.values(), self.ledger)
        for account in Account:
            assert replayed.balance(account) == self.wallet.balance(account)
        for at, available in self.snapshots[-2:]:
            then = wallet_as_of(self.wallet.grants.values(), self.ledger, at)
            assert then.available(at, "large") == available


TestWalletLaws = WalletLaws.TestCase
TestWalletLaws.settings = settings(max_examples=examples(40), stateful_step_count=25, deadline=None)


@given(st.lists(amounts, min_size=1, max_size=6), amounts)
def test_how_a_spend_is_split_changes_no_balance(parts: list[Decimal], size: Decimal) -> None:
    grants = [grant(f"g{index}", str(size), priority=index) for index in range(7)]
    whole, split = wallet(*grants), wallet(*grants)
    if sum(parts) > whole.available(NOW):
        return
    whole.append(whole.spend("c", sum(parts), NOW))
    for part in parts:
        split.append(split.spend("c", part, NOW))
    assert [whole.balance(Account.USED, grant.id) for grant in grants] == [
        split.balance(Account.USED, grant.id) for grant in grants
    ]
