"""A wallet: what its ledger's entries add up to, and the entries that each act appends. Pure.

A balance, as of any instant, is a sum over entries. Nothing here rounds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from backend.pricing.credit.entries import Account, LedgerEntry
from backend.pricing.credit.grants import Grant, GrantKind, burn_order
from backend.pricing.money import ZERO, exact_arithmetic
from backend.pricing.periods import BillingPeriod

_NO_BOUNDS: Final[Mapping[str, Decimal]] = {}


class InsufficientCredit(Exception):
    """The wallet holds less than was asked for; nothing was moved. ``missing`` is by how much."""

    def __init__(self, missing: Decimal) -> None:
        super().__init__(f"{missing} of credit is missing")
        self.missing = missing


class HoldClosed(ValueError):
    """The hold is unknown, or was settled or released before."""


class Wallet:
    """What a ledger's entries add up to. Its methods return the entries that an act appends.

    They don't change the wallet: ``append`` does, once the caller has stored them. Entries are in
    the order of their times.
    """

    def __init__(self, grants: Iterable[Grant] = (), entries: Iterable[LedgerEntry] = ()) -> None:
        self.grants = {grant.id: grant for grant in grants}
        self._balances: defaultdict[tuple[str, Account], Decimal] = defaultdict(Decimal)
        self._holds: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(
            lambda: defaultdict(Decimal)
        )
        self.append(entries)

    def restore(self, grant: Grant, balances: Mapping[Account, Decimal]) -> None:
        """Take in a grant whose entries add up to ``balances``.

        Its open holds are taken in by ``restore_hold``.
        """
        self.grants[grant.id] = grant
        self._balances.update({(grant.id, account): amount for account, amount in balances.items()})

    def restore_hold(self, hold: str, held: Mapping[str, Decimal]) -> None:
        """Take in an open hold: ``held`` has its amount by grant."""
        self._holds[hold].update(held)

    def append(self, entries: Iterable[LedgerEntry], grants: Iterable[Grant] = ()) -> None:
        """Add entries to the sums, and the new grants that they name to the grants.

        Raises ``ValueError`` if an account would go below zero.
        """
        self.grants.update((grant.id, grant) for grant in grants)
        with exact_arithmetic():
            for entry in entries:
                source = (entry.grant_id, entry.source)
                if entry.amount <= 0:
                    raise ValueError(f"an entry of {entry.amount} moves nothing")
                if entry.source is not Account.GRANTED and self._balances[source] < entry.amount:
                    raise ValueError(f"{entry.source} of {entry.grant_id} would go below zero")
                self._balances[source] -= entry.amount
                self._balances[entry.grant_id, entry.target] += entry.amount
                if entry.target is Account.RESERVED:
                    self._holds[entry.cause][entry.grant_id] += entry.amount
                elif entry.source is Account.RESERVED:
                    self._holds[entry.cause][entry.grant_id] -= entry.amount

    def balance(self, account: Account, grant_id: str | None = None) -> Decimal:
        """Return what is in an account, of one grant or of all."""
        with exact_arithmetic():
            ids = self.grants if grant_id is None else (grant_id,)
            return sum((self._balances[grant, account] for grant in ids), ZERO)

    def available(self, at: datetime, model: str | None = None) -> Decimal:
        """Return what could be spent at a moment, on ``model`` or (None) on anything."""
        return self._sum(lambda grant: grant.covers(model, at))

    def available_for_bill(
        self, period: BillingPeriod, at: datetime, most: Mapping[str, Decimal] = _NO_BOUNDS
    ) -> Decimal:
        """Return what could pay a bill of ``period`` that is made at a moment.

        ``most`` bounds what some grants pay of it, by their ids.
        """
        with exact_arithmetic():
            return sum((left for _, left in self._usable_for_bill(period, at, most)), ZERO)

    def available_for_debt(self, at: datetime) -> Decimal:
        """Return what could pay a bill that is overdue at a moment: credit that was bought."""
        return self._sum(lambda grant: grant.pays_debt(at))

    def grant(self, grant: Grant, at: datetime) -> list[LedgerEntry]:
        """Add a grant. Adding one again does nothing, so that a retried top-up can't double it."""
        if self._balances[grant.id, Account.GRANTED]:
            return []
        return [_entry(at, grant.id, Account.GRANTED, Account.AVAILABLE, grant.amount)]

    def resize(self, grant_id: str, amount: Decimal, at: datetime) -> list[LedgerEntry]:
        """Have a grant come to ``amount`` in all: grant more of it, or take some of it back."""
        with exact_arithmetic():
            more = amount + self._balances[grant_id, Account.GRANTED]
        if not more:
            return []
        source, target = Account.GRANTED, Account.AVAILABLE
        if more < 0:
            source, target = target, source
        return [_entry(at, grant_id, source, target, abs(more))]

    def reserve(
        self, hold: str, amount: Decimal, at: datetime, model: str | None = None
    ) -> list[LedgerEntry]:
        """Set aside ``amount`` in burn order.

        Raises ``InsufficientCredit`` if there is less, ``ValueError`` for a name in use.
        """
        if hold in self._holds:
            raise ValueError(f"the hold {hold!r} exists")
        usable = self._usable(lambda grant: grant.covers(model, at))
        return _draw(amount, at, usable, Account.RESERVED, hold)

    def spend(
        self, cause: str, amount: Decimal, at: datetime, model: str | None = None
    ) -> list[LedgerEntry]:
        """Use ``amount`` in burn order, without a hold. Raises ``InsufficientCredit``."""
        usable = self._usable(lambda grant: grant.covers(model, at))
        return _draw(amount, at, usable, Account.USED, cause)

    def pay_bill(
        self,
        cause: str,
        amount: Decimal,
        period: BillingPeriod,
        at: datetime,
        most: Mapping[str, Decimal] = _NO_BOUNDS,
    ) -> list[LedgerEntry]:
        """Use ``amount`` for a bill of ``period``, in burn order. Raises ``InsufficientCredit``.

        ``most`` is as in ``available_for_bill``.
        """
        usable = self._usable_for_bill(period, at, most)
        return _draw(amount, at, usable, Account.USED, cause)

    def pay_debt(self, cause: str, amount: Decimal, at: datetime) -> list[LedgerEntry]:
        """Use ``amount`` for an overdue bill, in burn order. Raises ``InsufficientCredit``."""
        usable = self._usable(lambda grant: grant.pays_debt(at))
        return _draw(amount, at, usable, Account.USED, cause)

    def settle(self, hold: str, amount: Decimal, at: datetime) -> list[LedgerEntry]:
        """Use ``amount`` of a hold, in burn order, and release the rest.

        Raises ``HoldClosed`` the second time, ``InsufficientCredit`` if the hold
        held less: reserve the greatest possible cost.
        """
        held = self._reserved_by_grant(hold)
        with exact_arithmetic():
            missing = amount - sum(held.values(), ZERO)
            if missing > 0:
                raise InsufficientCredit(missing)
            entries = []
            for grant in burn_order(self.grants[grant_id] for grant_id in held):
                used = min(amount, held[grant.id])
                amount -= used
                for part, target in (
                    (used, Account.USED),
                    (held[grant.id] - used, Account.AVAILABLE),
                ):
                    if part:
                        entries.append(_entry(at, grant.id, Account.RESERVED, target, part, hold))
            return entries

    def release(self, hold: str, at: datetime) -> list[LedgerEntry]:
        """Put all of a hold back. Raises ``HoldClosed`` the second time."""
        return self.settle(hold, ZERO, at)

    def return_used(
        self, cause: str, used: Mapping[str, Decimal], amount: Decimal, at: datetime
    ) -> list[LedgerEntry]:
        """Put ``amount`` of what ``cause`` has ``used`` (by grant) back, the last to burn first.

        What returns to a grant that has expired expires with the next ``expire``. Raises
        ``ValueError`` if less was used.
        """
        entries = []
        with exact_arithmetic():
            for grant in reversed(burn_order(self.grants[grant_id] for grant_id in used)):
                back = min(amount, used[grant.id])
                if back:
                    entries.append(
                        _entry(at, grant.id, Account.USED, Account.AVAILABLE, back, cause)
                    )
                amount -= back
        if amount:
            raise ValueError(f"{cause!r} has used {amount} less than is to be returned")
        return entries

    def pay_again(
        self, cause: str, amount: Decimal, shares: Mapping[str, Decimal], at: datetime
    ) -> list[LedgerEntry]:
        """Use ``amount`` of ``shares`` (by grant) that were returned, in burn order.

        What of a share has expired since is available again first. Raises ``ValueError`` for more
        than the shares hold.
        """
        entries = []
        with exact_arithmetic():
            for grant in burn_order(self.grants[grant_id] for grant_id in shares):
                part = min(amount, shares[grant.id])
                expired = part - self._balances[grant.id, Account.AVAILABLE]
                for source, target, moved in (
                    (Account.EXPIRED, Account.AVAILABLE, expired),
                    (Account.AVAILABLE, Account.USED, part),
                ):
                    if moved > 0:
                        entries.append(_entry(at, grant.id, source, target, moved, cause))
                amount -= part
        if amount:
            raise ValueError(f"{amount} is more than was returned")
        return entries

    def expire(self, at: datetime) -> list[LedgerEntry]:
        """Take away what is left of grants that have expired, but for those in arrears.

        What is reserved of them stays until it is settled; what is released then expires with the
        next call.
        """
        return [_expired(at, *share) for share in self.ended(at, in_arrears=False)]

    def close(self, until: datetime, at: datetime) -> list[LedgerEntry]:
        """Take away what is left of credit in arrears, once all bills up to ``until`` are made."""
        return [_expired(at, *share) for share in self.ended(until, in_arrears=True)]

    def ended(self, until: datetime, *, in_arrears: bool) -> list[tuple[Grant, Decimal]]:
        """Return the grants that ended by then, in arrears or not, and what is left of each."""
        return self._usable(lambda grant: grant.in_arrears is in_arrears and _ended(grant, until))

    def refund(
        self, grant_id: str, at: datetime, amount: Decimal | None = None
    ) -> list[LedgerEntry]:
        """Pay back what is left of a bought grant, or ``amount`` of it.

        Raises ``ValueError`` for a promotional grant: that is not paid back.
        """
        if self.grants[grant_id].kind is not GrantKind.PAID:
            raise ValueError(f"grant {grant_id!r} was not paid for")
        left = self._balances[grant_id, Account.AVAILABLE] if amount is None else amount
        return [_entry(at, grant_id, Account.AVAILABLE, Account.REFUNDED, left)] if left else []

    def _usable(self, which: Callable[[Grant], bool]) -> list[tuple[Grant, Decimal]]:
        """Return the grants that have something left, in burn order, and how much."""
        return [
            (grant, left)
            for grant in burn_order(filter(which, self.grants.values()))
            if (left := self._balances[grant.id, Account.AVAILABLE])
        ]

    def _usable_for_bill(
        self, period: BillingPeriod, at: datetime, most: Mapping[str, Decimal]
    ) -> list[tuple[Grant, Decimal]]:
        usable = self._usable(lambda grant: grant.pays_bill_of(period, at))
        bounded = ((grant, min(left, most.get(grant.id, left))) for grant, left in usable)
        return [(grant, left) for grant, left in bounded if left > 0]

    def _sum(self, which: Callable[[Grant], bool]) -> Decimal:
        with exact_arithmetic():
            return sum((left for _, left in self._usable(which)), ZERO)

    def _reserved_by_grant(self, hold: str) -> dict[str, Decimal]:
        held = {grant_id: left for grant_id, left in self._holds.get(hold, {}).items() if left}
        if not held:
            raise HoldClosed(f"the hold {hold!r} is not open")
        return held


def wallet_as_of(grants: Iterable[Grant], entries: Iterable[LedgerEntry], at: datetime) -> Wallet:
    """Return the wallet as it was at an instant: the sum of the entries up to then."""
    return Wallet(grants, (entry for entry in entries if entry.at <= at))


def _entry(
    at: datetime, grant_id: str, source: Account, target: Account, amount: Decimal, cause: str = ""
) -> LedgerEntry:
    return LedgerEntry(at, grant_id, source, target, amount, cause)


def _draw(
    amount: Decimal,
    at: datetime,
    usable: Iterable[tuple[Grant, Decimal]],
    target: Account,
    cause: str,
) -> list[LedgerEntry]:
    if amount <= 0:
        raise ValueError(f"can't draw {amount}")
    entries = []
    with exact_arithmetic():
        for grant, left in usable:
            taken = min(left, amount)
            entries.append(_entry(at, grant.id, Account.AVAILABLE, target, taken, cause))
            amount -= taken
            if not amount:
                return entries
    raise InsufficientCredit(amount)


def _ended(grant: Grant, at: datetime) -> bool:
    return grant.expires_at is not None and grant.expires_at <= at


def _expired(at: datetime, grant: Grant, left: Decimal) -> LedgerEntry:
    return _entry(at, grant.id, Account.AVAILABLE, Account.EXPIRED, left)
