"""Commitments of a contract: ramps, true-up, overage discount, and credit for missed service. Pure.

A commitment is a schedule of periods, each with the amount that is committed in it; a ramp is a
schedule whose amounts differ. Amounts are money, or units of a meter with what a missing one costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from backend.pricing.money import ZERO, exact_arithmetic, prorate, round_to_minor_unit

_SECOND = timedelta(seconds=1)


class TrueUp(StrEnum):
    """When a shortfall is billed: at the end of each period, or of the term."""

    PERIOD = "period"
    TERM = "term"


@dataclass(frozen=True, slots=True)
class CommittedPeriod:
    """What is committed from ``start`` until ``end``."""

    start: datetime
    end: datetime
    committed: Decimal

    def share_after(self, at: datetime) -> Fraction:
        """Return the part of the period's seconds that lies after ``at``."""
        left = self.end - min(max(at, self.start), self.end)
        return Fraction(left // _SECOND, (self.end - self.start) // _SECOND)


@dataclass(frozen=True, slots=True)
class Commitment:
    """A term's commitment. Its periods follow one another without a gap.

    With ``unit_price`` 1 and ``unit_size`` 1 amounts are money; for a commitment in tokens they are
    tokens, and ``unit_price`` is what ``unit_size`` of them cost. ``overage_discount`` is the
    percentage off what goes beyond the commitment.
    """

    id: str
    name: str
    periods: tuple[CommittedPeriod, ...]
    true_up: TrueUp = TrueUp.PERIOD
    overage_discount: Decimal = ZERO
    unit_price: Decimal = Decimal(1)
    unit_size: int = 1

    def __post_init__(self) -> None:
        if not self.periods:
            raise ValueError(f"commitment {self.id} has no period")
        for period, follows in zip(self.periods, (*self.periods[1:], None), strict=True):
            if period.end <= period.start or (follows and follows.start != period.end):
                raise ValueError(f"commitment {self.id}: its periods must follow one another")
            if period.committed < 0:
                raise ValueError(f"commitment {self.id} is negative")
        if not 0 <= self.overage_discount <= 100:
            raise ValueError(f"commitment {self.id}: the overage discount is a percentage")

    def amended(self, at: datetime, more: Decimal) -> Commitment:
        """Return the commitment with ``more`` a period from ``at`` until the same end of term.

        The period that holds ``at`` takes the part of ``more`` that is left of it, by the second.
        """
        with exact_arithmetic():
            periods = tuple(
                replace(
                    period,
                    committed=period.committed + prorate(more, period.share_after(at)),
                )
                for period in self.periods
            )
        return replace(self, periods=periods)


@dataclass(frozen=True, slots=True)
class CommitmentOutcome:
    """The outcome of one period of a commitment.

    ``overage`` is what went beyond the commitment, in its units; ``discount`` (zero or less) and
    ``true_up`` are money, rounded to the minor unit.
    """

    period: CommittedPeriod
    counted: Decimal
    overage: Decimal
    discount: Decimal
    true_up: Decimal


def settle(
    commitment: Commitment, counted: Sequence[Decimal], currency: str
) -> list[CommitmentOutcome]:
    """Settle the first periods: ``counted`` says what was spent or used in each.

    With true-up by period each stands alone: what is missing is billed, what goes beyond is
    discounted. With true-up by term all count together: overage begins where the whole term's
    commitment is met, and what is missing is billed in the last period only. Raises
    ``ValueError`` if more periods are counted than there are, or an amount is negative.
    """
    if len(counted) > len(commitment.periods):
        raise ValueError(f"commitment {commitment.id} has {len(commitment.periods)} periods")
    if any(amount < 0 for amount in counted):
        raise ValueError(f"commitment {commitment.id}: a counted amount is negative")
    with exact_arithmetic():
        by_term = commitment.true_up is TrueUp.TERM
        left = sum((period.committed for period in commitment.periods), ZERO)
        last = commitment.periods[-1]
        outcomes = []
        for period, amount in zip(commitment.periods, counted, strict=False):
            if not by_term:
                left = period.committed
            overage = max(amount - left, ZERO)
            left = max(left - amount, ZERO)
            missing = left if not by_term or period is last else ZERO
            outcomes.append(
                CommitmentOutcome(
                    period,
                    amount,
                    overage,
                    -_worth(commitment, overage * commitment.overage_discount / 100, currency),
                    _worth(commitment, missing, currency),
                )
            )
        return outcomes


def _worth(commitment: Commitment, amount: Decimal, currency: str) -> Decimal:
    exact = amount * commitment.unit_price / commitment.unit_size
    return round_to_minor_unit(exact, currency)


@dataclass(frozen=True, slots=True)
class ServiceBand:
    """Availability below ``below`` percent earns a credit of ``credit`` percent."""

    below: Decimal
    credit: Decimal


def service_credit(
    good: int, total: int, bands: Sequence[ServiceBand], base: Decimal, currency: str
) -> Decimal:
    """Return the credit on ``base`` that ``good`` of ``total`` requests or minutes earn.

    Of the bands that availability is below, the one that gives most applies. Without traffic there
    is no credit. The ratio is compared exactly: 99.9% is not below 99.9%.
    """
    if not 0 <= good <= total:
        raise ValueError(f"{good} of {total} can't be")
    if not total:
        return round_to_minor_unit(ZERO, currency)
    percent = max(
        (band.credit for band in bands if Fraction(good * 100, total) < Fraction(band.below)),
        default=ZERO,
    )
    with exact_arithmetic():
        return round_to_minor_unit(base * percent / 100, currency)
