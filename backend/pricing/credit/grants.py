"""Grants of credit, and the order that they burn in. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from backend.pricing.periods import BillingPeriod

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class GrantKind(StrEnum):
    """Given away, or bought."""

    PROMOTIONAL = "promotional"
    PAID = "paid"


@dataclass(frozen=True, slots=True)
class Rollover:
    """``percent`` of what is left when a term ends is carried on for ``months``."""

    percent: Decimal
    months: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Credit of ``amount``, usable from ``starts_at`` until ``expires_at`` (None: for ever).

    ``models`` limits it to calls of those models. Lower ``priority`` numbers burn first. Credit
    ``in_arrears`` pays bills of the time in which it was usable, although they are made after it.
    With a ``rollover`` a part of what is left at ``expires_at`` is carried on.
    Credit ``taxed_at_sale`` pays calls alone: bills have their tax, and it would fall twice.
    """

    id: str
    kind: GrantKind
    amount: Decimal
    starts_at: datetime
    expires_at: datetime | None = None
    priority: int = 100
    models: frozenset[str] | None = None
    in_arrears: bool = False
    rollover: Rollover | None = None
    taxed_at_sale: bool = False

    def covers(self, model: str | None, at: datetime) -> bool:
        """Return whether it can pay for a call of ``model`` at that moment; None for any model."""
        usable = self.starts_at <= at and (self.expires_at is None or at < self.expires_at)
        return usable and (self.models is None or model in self.models)

    def pays_debt(self, at: datetime) -> bool:
        """Return whether it can pay an overdue bill: credit that was bought, for any model."""
        bought = self.kind is GrantKind.PAID and not self.in_arrears
        return bought and not self.taxed_at_sale and self.covers(None, at)

    def pays_bill_of(self, period: BillingPeriod, at: datetime) -> bool:
        """Return whether it can pay a bill of ``period`` that is made at that moment."""
        if self.taxed_at_sale:
            return False
        if not self.in_arrears:
            return self.covers(None, at)
        ended = self.expires_at is not None and self.expires_at <= period.start
        return self.models is None and self.starts_at < period.end and not ended


def burn_order(grants: Iterable[Grant]) -> list[Grant]:
    """Sort grants as they burn.

    Soonest expiry first, then the lower priority number, then promotional before paid, then the
    oldest; the id decides equal ones.
    """
    return sorted(
        grants,
        key=lambda grant: (
            grant.expires_at or _NEVER,
            grant.priority,
            grant.kind is GrantKind.PAID,
            grant.starts_at,
            grant.id,
        ),
    )
