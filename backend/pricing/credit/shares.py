"""What plans bring of credit in one period: each the part of it that its fee is asked for. Pure.

A tenant that takes a plan for a quarter of an hour pays that part of its fee and has that part of
its credit, as of all that the plan gives free of charge. What was used of a plan's credit beyond
its part, because the plan was left early, is taken off what other plans of the period bring; what
is then missing is asked for by the period's invoice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from backend.pricing.credit.grants import Grant, burn_order
from backend.pricing.credit.plan_credit import divided_amount, recurring_grant
from backend.pricing.credit.rules import RecurringGrant
from backend.pricing.money import ZERO, exact_arithmetic
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.stretches import Stretch
from backend_client.types.plan_terms import GrantTerms


class DueCredit(NamedTuple):
    """A plan's rule with the amount that it brings in one period, and what customers call it."""

    rule: RecurringGrant
    name: str


def credit_of_period(
    stretches: Sequence[Stretch],
    period: BillingPeriod,
    currency: str,
    *,
    begun: datetime,
    until: datetime | None = None,
) -> list[DueCredit]:
    """Return what the plans of a period bring that began by ``begun``, each its share.

    A trial brings nothing, since nothing is asked for. With ``until`` only the time up to then
    counts. The amounts of a plan's versions add up; all else is as the last one has it.
    """
    amounts: defaultdict[str, list[tuple[Decimal, Fraction]]] = defaultdict(list)
    latest: dict[str, tuple[RecurringGrant, GrantTerms]] = {}
    began: set[str] = set()
    for stretch in stretches:
        if stretch.plan is None or stretch.trial:
            continue
        counted = stretch if until is None else replace(stretch, end=min(stretch.end, until))
        share = counted.share(period) if counted.start < counted.end else Fraction(0)
        for terms in stretch.plan.grants:
            if terms.recurs:
                rule = recurring_grant(stretch.plan, terms)
                amounts[rule.id].append((terms.amount, share))
                latest[rule.id] = rule, terms
                if stretch.start <= begun:
                    began.add(rule.id)
    return [
        DueCredit(replace(rule, amount=divided_amount(amounts[rule.id], currency)), terms.name)
        for rule, terms in latest.values()
        if rule.id in began
    ]


def fitted(due: Iterable[tuple[Grant, Decimal]]) -> tuple[dict[str, Decimal], Decimal]:
    """Return what each grant comes to, and what was used beyond all of them.

    ``due`` has the grants of a period with what each would come to by itself, and how much of it
    is used or reserved: that much it comes to in any case. What this is too much is taken off the
    others, as far as something is left of them, but not of those for some models only.
    """
    with exact_arithmetic():
        held = {grant.id: (grant, used) for grant, used in due}
        beyond = sum((max(used - grant.amount, ZERO) for grant, used in held.values()), ZERO)
        amounts: dict[str, Decimal] = {}
        for grant in burn_order(grant for grant, _ in held.values()):
            used = held[grant.id][1]
            spare = max(grant.amount - used, ZERO)
            taken = min(spare, beyond) if grant.models is None else ZERO
            beyond -= taken
            amounts[grant.id] = max(grant.amount, used) - taken
    return amounts, beyond
