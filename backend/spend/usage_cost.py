"""What usage cost over time, and by whom: what each bucket added to the lines of its period. Pure.

A price may depend on all that was used before it in the period: tiers, included units, packages.
So a bucket costs what the period's lines came to at its end, less what they came to at its
beginning. Fees, minimums, discounts and coupons are no usage's, and are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from typing import Final, NamedTuple

from backend.pricing.charges.rate_card import AttributedQuantity, Labels, MeteredQuantity, RateCard
from backend.pricing.money import EXACT
from backend.spend.open_period import OpenPeriod
from backend.spend.sharing import shared
from backend_client.types.charges import FlatCharge


class UserOf(NamedTuple):
    """Whose usage it was: the key is empty for none, and all are for what is nobody's.

    ``labels`` are those of its labels that were asked for.
    """

    application: str
    key: str
    model: str
    meter: str
    labels: Labels = ()


NOBODY = UserOf("", "", "", "")
"""Has what a bucket changed of a line without having used any of it."""


@dataclass(frozen=True, slots=True)
class UsedInBucket:
    """The usage of one bucket, in each stretch of the period. Without a ``start`` it is only what
    was used before the first that is asked for."""

    start: datetime | None
    used: Sequence[Sequence[AttributedQuantity]]


class Cost(NamedTuple):
    """What a bucket's usage added to the bill, unrounded."""

    start: datetime
    user: UserOf
    amount: Decimal


_Charge = tuple[str, int, str]
"""A plan, its version, and a charge of it."""
_Sums = dict[tuple[str, str, str | None, Labels], Decimal]
_Shares = Iterator[tuple[UserOf, Decimal]]
_Users = dict[UserOf, dict[Labels, Decimal]]
"""How much whom used, by the labels that were asked for."""


def costs(
    opened: OpenPeriod, buckets: Iterable[UsedInBucket], by_labels: Collection[str] = ()
) -> Iterator[Cost]:
    """Yield what each bucket of a period cost, by whose usage it was; buckets in their order.

    It is divided by the values of ``by_labels`` too, which the usage has to have.
    """
    cards = [None if each.plan is None else RateCard(each.plan) for each in opened.stretches]
    so_far: list[_Sums] = [{} for _ in opened.stretches]
    before: dict[_Charge, Decimal] = {}
    for bucket in buckets:
        for sums, used in zip(so_far, bucket.used, strict=True):
            _add(sums, used)
        now = _by_charge(opened, so_far)
        if bucket.start is not None:
            by_user: defaultdict[UserOf, Decimal] = defaultdict(Decimal)
            units = _units(opened, cards, bucket.used, by_labels)
            for charge in sorted(now.keys() | before.keys()):
                grown = EXACT.subtract(now.get(charge, Decimal(0)), before.get(charge, Decimal(0)))
                if grown:
                    for user, share in _divided(grown, units.get(charge) or _NOBODY_USED_IT):
                        by_user[user] = EXACT.add(by_user[user], share)
            for user, amount in sorted(by_user.items()):
                yield Cost(bucket.start, user, amount)
        before = now


_NOBODY_USED_IT: Final[_Users] = {NOBODY: {(): Decimal(1)}}


def _divided(amount: Decimal, users: Mapping[UserOf, Mapping[Labels, Decimal]]) -> _Shares:
    """Yield the share of each user and of each of its labels' values.

    A user's share is the same to the last digit, by whichever labels it is divided.
    """
    whole = {user: reduce(EXACT.add, parts.values()) for user, parts in users.items()}
    for user, share in shared(amount, whole).items():
        for labels, part in shared(share, users[user]).items():
            yield user._replace(labels=labels), part


def _add(sums: _Sums, used: Iterable[AttributedQuantity]) -> None:
    for attributed in used:
        metered = attributed.metered
        kind = (metered.model, metered.meter, metered.window, metered.labels)
        sums[kind] = EXACT.add(sums.get(kind, Decimal(0)), metered.quantity)


def _by_charge(opened: OpenPeriod, so_far: Sequence[_Sums]) -> dict[_Charge, Decimal]:
    rated = opened.rate_with(
        [
            MeteredQuantity(model, meter, quantity, window, labels)
            for (model, meter, window, labels), quantity in sums.items()
        ]
        for sums in so_far
    )
    amounts: dict[_Charge, Decimal] = {}
    for line in rated.lines:
        if not isinstance(line.charge, FlatCharge) and not line.trial:
            charge = (line.plan, line.plan_version, line.charge.id)
            amounts[charge] = EXACT.add(amounts.get(charge, Decimal(0)), line.exact)
    return amounts


def _units(
    opened: OpenPeriod,
    cards: Sequence[RateCard | None],
    used: Sequence[Sequence[AttributedQuantity]],
    by_labels: Collection[str],
) -> dict[_Charge, _Users]:
    """Return how much of what each charge prices was used by whom."""
    units: defaultdict[_Charge, _Users] = defaultdict(dict)
    for stretch, card, quantities in zip(opened.stretches, cards, used, strict=True):
        if stretch.plan is None or card is None or stretch.trial:
            continue
        for application, key, metered in (
            (each.application, each.key, each.metered) for each in quantities
        ):
            charge = card.charge_for(metered.model, metered.meter, metered.window, metered.labels)
            if charge is not None and metered.quantity:
                users = units[stretch.plan.id, stretch.plan_version, charge.id]
                user = UserOf(application, key, metered.model, metered.meter)
                parts = users.setdefault(user, {})
                labels = tuple(each for each in metered.labels if each[0] in by_labels)
                parts[labels] = EXACT.add(parts.get(labels, Decimal(0)), metered.quantity)
    return units
