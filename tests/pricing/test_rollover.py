"""What is carried on at the end of a term: no credit comes to be, and none is lost unsaid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.credit.entries import Account
from backend.pricing.credit.grants import Grant, GrantKind, Rollover
from backend.pricing.credit.rollover import at_end_of_term
from backend.pricing.credit.wallet import Wallet
from backend.pricing.money import rounded_down

pytestmark = pytest.mark.fast

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = datetime(2026, 4, 1, tzinfo=UTC)
amounts = st.decimals("0.000001", 10**6, places=6)


def commitment(amount: Decimal, percent: Decimal, months: int, name: str = "term") -> Grant:
    return Grant(
        name,
        GrantKind.PAID,
        amount,
        BEGINS,
        ENDS,
        in_arrears=True,
        rollover=Rollover(percent, months),
    )


@given(
    amount=amounts,
    percent=st.decimals("0.000001", 100, places=6),
    months=st.integers(1, 120),
    drawn=st.lists(st.fractions(0, 1), max_size=4),
    afterwards=st.lists(st.fractions(0, 1), max_size=4),
)
def test_drawdown_rollover_and_expiry_are_what_was_committed(
    amount: Decimal,
    percent: Decimal,
    months: int,
    drawn: list[Fraction],
    afterwards: list[Fraction],
) -> None:
    grant = commitment(amount, percent, months)
    wallet = Wallet()
    wallet.append(wallet.grant(grant, BEGINS), [grant])

    def draw(parts: list[Fraction]) -> None:
        for number, part in enumerate(parts):
            left = wallet.balance(Account.AVAILABLE)
            taken = rounded_down(Fraction(left) * part, 6)
            if 0 < taken <= left:
                wallet.append(wallet.spend(f"bill {number}", taken, BEGINS + timedelta(days=1)))

    draw(drawn)
    ((_, left),) = wallet.ended(ENDS, in_arrears=True) or [(grant, Decimal(0))]
    term = at_end_of_term(grant, left, "UTC", ENDS)
    wallet.append(term.expired, [term.grant])
    kept = wallet.balance(Account.AVAILABLE)
    assert kept == term.kept <= left * percent / 100 < term.kept + Decimal("0.000001")
    assert wallet.ended(ENDS, in_arrears=True) == []
    draw(afterwards)
    parts = [wallet.balance(account) for account in (Account.USED, Account.EXPIRED)]
    assert sum(parts) + wallet.balance(Account.AVAILABLE) == amount
    assert term.grant.expires_at is not None
    wallet.append(wallet.close(term.grant.expires_at, term.grant.expires_at))
    # It was carried on once
    assert wallet.balance(Account.AVAILABLE) == 0
    assert wallet.balance(Account.USED) + wallet.balance(Account.EXPIRED) == amount


@pytest.mark.parametrize(
    ("zone", "ends", "until"),
    [
        ("UTC", "2026-01-31T00:00+00:00", "2026-02-28T00:00+00:00"),
        # Clocks are set forward between: the same time of day
        ("Europe/Berlin", "2026-02-28T23:00+00:00", "2026-03-31T22:00+00:00"),
    ],
)
def test_months_are_counted_on_the_tenants_clocks(zone: str, ends: str, until: str) -> None:
    grant = Grant(
        "term",
        GrantKind.PAID,
        Decimal(1),
        BEGINS,
        datetime.fromisoformat(ends),
        rollover=Rollover(Decimal(50), 1),
    )
    late = datetime(2027, 1, 1, tzinfo=UTC)  # whenever it is noticed
    term = at_end_of_term(grant, Decimal(1), zone, late)
    assert term.grant.expires_at == datetime.fromisoformat(until)
    assert (term.kept, term.grant.rollover) == (Decimal("0.5"), None)


def test_a_grant_that_carries_nothing_on_has_no_such_end() -> None:
    with pytest.raises(ValueError, match="carries nothing on"):
        at_end_of_term(
            Grant("g", GrantKind.PAID, Decimal(1), BEGINS, ENDS), Decimal(1), "UTC", ENDS
        )
