"""The end of a term of credit: a part of what is left is carried on, the rest expires. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from backend.pricing.credit.entries import Account, LedgerEntry
from backend.pricing.credit.grants import Grant
from backend.pricing.money import exact_arithmetic, rounded_down
from backend.pricing.rating.years import PlanYears

_DECIMALS: Final = 6
"""As many as credit has."""


class EndOfTerm(NamedTuple):
    """A grant as it goes on, how much of it does, and the entry of what expires, if any does."""

    grant: Grant
    kept: Decimal
    expired: tuple[LedgerEntry, ...]


def at_end_of_term(grant: Grant, left: Decimal, time_zone: str, at: datetime) -> EndOfTerm:
    """Carry on the percentage of what is ``left`` for the months that the grant says.

    They are counted on the clocks of ``time_zone``, from when the term ended, whenever that is
    noticed. Raises ``ValueError`` for a grant without a rollover or an end.
    """
    if grant.rollover is None or grant.expires_at is None:
        raise ValueError(f"grant {grant.id!r} carries nothing on")
    with exact_arithmetic():
        kept = rounded_down(Fraction(left) * Fraction(grant.rollover.percent) / 100, _DECIMALS)
        over = left - kept
    until = PlanYears(grant.expires_at, time_zone, grant.rollover.months).start(1)
    expired = LedgerEntry(at, grant.id, Account.AVAILABLE, Account.EXPIRED, over, "")
    return EndOfTerm(
        replace(grant, expires_at=until, rollover=None), kept, (expired,) if over else ()
    )
