"""Usage and quotas in words. Plain functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from backend_client.types.plan_terms import Quota, QuotaLimit
from backend_client.types.usage import UsageRow
from portal.kit.formatting import TOKEN_METERS, count, meters_name


@dataclass(frozen=True)
class QuotaUse:
    """A quota of the plan and how much of it the period has used."""

    name: str
    used: str
    allowed: str
    percent: int
    hard: bool


def tokens(rows: Iterable[UsageRow]) -> Decimal:
    """All tokens in ``rows``; the token meters are disjoint, so they add up."""
    return sum((row.quantity for row in rows if row.meter in TOKEN_METERS), Decimal(0))


def requests_note(rows: Iterable[UsageRow]) -> str:
    """How many requests ``rows`` count, in words."""
    number = sum((row.quantity for row in rows if row.meter == "requests"), Decimal(0))
    return f"{count(number)} request{'' if number == 1 else 's'}"


def quota_use(quota: Quota, rows: Iterable[UsageRow]) -> QuotaUse:
    """How much of ``quota`` the period's ``rows`` use."""
    used = sum((row.quantity for row in rows if row.meter in quota.meters), Decimal(0))
    share = used / quota.quantity if quota.quantity else Decimal(1)
    return QuotaUse(
        name=meters_name(quota.meters),
        used=count(used),
        allowed=count(quota.quantity),
        percent=int(min(share, Decimal(1)) * 100),
        hard=quota.limit is QuotaLimit.HARD,
    )
