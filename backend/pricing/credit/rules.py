"""Rules by which credit comes: with every billing period, or when little is left. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from backend.pricing.credit.grants import Grant, GrantKind
from backend.pricing.money import ZERO, exact_arithmetic
from backend.pricing.periods import BillingPeriod

CARRIED: Final = ":carried"
ROLLOVER: Final = ":rollover"
"""What the ids of grants of what was left end in: of credit in arrears, and of other credit."""


@dataclass(frozen=True, slots=True)
class RecurringGrant:
    """A grant that every billing period brings. ``rollover_cap`` of what is left is carried on.

    What is carried into a period is a grant beside the period's own, whose amount follows how much
    of the period the plan is had for. What is left of credit in arrears is known only when its
    period was billed, in the one that follows.
    """

    id: str
    kind: GrantKind
    amount: Decimal
    rollover_cap: Decimal = ZERO
    priority: int = 100
    models: frozenset[str] | None = None
    in_arrears: bool = False

    def for_period(self, period: BillingPeriod) -> Grant:
        """Return the period's grant, which expires with it.

        Its id is made of the rule and the period, so that a period never brings it twice.
        """
        return self._grant(period, self.amount)

    def carried(
        self, period: BillingPeriod, left_before: Decimal, *, in_arrears: bool
    ) -> Grant | None:
        """Return what is carried into a period of what was left of the one before.

        ``in_arrears`` says that this was credit in arrears, which is carried when it was billed.
        """
        amount = min(left_before, self.rollover_cap)
        return self._grant(period, amount, CARRIED if in_arrears else ROLLOVER) if amount else None

    def _grant(self, period: BillingPeriod, amount: Decimal, suffix: str = "") -> Grant:
        return Grant(
            f"{self.id}{period_suffix(period)}{suffix}",
            self.kind,
            amount,
            period.start,
            period.end,
            self.priority,
            self.models,
            self.in_arrears,
        )


def period_suffix(period: BillingPeriod) -> str:
    """Return what the ids of a period's recurring grants end in."""
    return f":{period.start:%Y-%m-%dT%H:%MZ}"


@dataclass(frozen=True, slots=True)
class TopUpRule:
    """Buy ``amount`` when less than ``threshold`` is left, but ``daily_ceiling`` a day at most."""

    threshold: Decimal
    amount: Decimal
    daily_ceiling: Decimal

    def due(self, balance: Decimal, topped_up_today: Decimal, *, pending: bool) -> Decimal:
        """Return how much to buy now: ``amount``, or zero.

        ``balance`` is what is available and reserved; ``pending`` says that a top-up is under way,
        so that one shortage never buys twice.
        """
        with exact_arithmetic():
            within = topped_up_today + self.amount <= self.daily_ceiling
            return self.amount if balance < self.threshold and within and not pending else ZERO
