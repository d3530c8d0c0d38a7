"""How a cost that no usage has by itself is divided. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias, assert_never

from backend.chargeback.rules.documents import CostKey
from backend.chargeback.rules.timeline import Reign, shares_of_time
from backend.chargeback.rules.tree import UNALLOCATED, Path
from backend.chargeback.rules.usage import Weights
from backend_client.types.chargeback import SharedCost, SharedRule, Split

HeldCosts: TypeAlias = Mapping[CostKey, tuple[SharedCost | None, Mapping[Path, Decimal]]]
"""What each subject was divided to so far."""


def divided_shares(
    shared: SharedCost, item: str, basis: Weights, reigns: Sequence[Reign]
) -> Weights:
    """Return each place's share of a shared cost, over the policies that held in its time.

    ``basis`` is what places were given of the costs of usage. A reduction for which no rule is
    given goes where the costs went that it reduces; other costs without a rule are nobody's.
    """
    weights: defaultdict[Path, Fraction] = defaultdict(Fraction)
    for reign, share in zip(reigns, shares_of_time(reigns), strict=True):
        own = _shares(_rule_for(shared, item, reign), shared, basis, reign)
        whole = sum(own.values(), Fraction(0))
        for path, weight in own.items() if whole else [(UNALLOCATED, Fraction(1))]:
            weights[path] += share * weight / (whole or 1)
    return dict(weights)


def usage_basis(key: CostKey, held: HeldCosts) -> Weights:
    """Return what places bear of the costs of usage that a shared cost of ``key`` is about.

    Those are the charge's, where it limits one charge; the trial's, where it is the trial's; the
    plan's, where it has a plan; else all of the period. Of an empty part all of the period counts.
    """
    of_period = [
        (other, amounts)
        for other, (shared, amounts) in held.items()
        if shared is None and (other.start, other.series) == (key.start, key.series)
    ]
    of_plan = [
        (other, amounts)
        for other, amounts in of_period
        if not key.item.plan
        or (other.item.plan, other.item.plan_version) == (key.item.plan, key.item.plan_version)
    ]
    narrow = of_plan
    if key.item.kind in ("minimum", "maximum"):
        narrow = [part for part in of_plan if part[0].item.item == key.item.item] or of_plan
    elif key.item.kind == "trial":
        cuts = [other.cut for other, _ in of_plan if other.cut is not None]
        narrow = [part for part in of_plan if cuts and part[0].cut == min(cuts)] or of_plan
    for parts in (narrow, of_plan, of_period):
        sums: defaultdict[Path, Decimal] = defaultdict(Decimal)
        for _, amounts in parts:
            for path, amount in amounts.items():
                sums[path] += amount
        positive = {path: Fraction(amount) for path, amount in sums.items() if amount > 0}
        if positive:
            return positive
    return {}


def _rule_for(shared: SharedCost, item: str, reign: Reign) -> SharedRule | None:
    rules = [] if reign.policy is None else reign.policy.shared
    return next(
        (
            rule
            for rule in rules
            if (not rule.costs or shared in rule.costs) and (not rule.items or item in rule.items)
        ),
        None,
    )


def _shares(rule: SharedRule | None, shared: SharedCost, basis: Weights, reign: Reign) -> Weights:
    if rule is None:
        return basis if shared is SharedCost.REDUCTION else {}
    match rule.split:
        case Split.EVEN:
            return dict.fromkeys(reign.tree.cost_centers(rule.among), Fraction(1))
        case Split.FIXED:
            return {reign.tree.paths[part.code]: Fraction(part.part) for part in rule.parts}
        case Split.USAGE if not rule.among:
            return basis
        case Split.USAGE:
            among = {path[-1] for path in reign.tree.cost_centers(rule.among)}
            return {path: weight for path, weight in basis.items() if path and path[-1] in among}
        case _:
            assert_never(rule.split)
