"""Who used what a charge prices: the weights by which its line is divided. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import TypeAlias

from backend.chargeback.rules.documents import CostKey
from backend.chargeback.rules.timeline import Reign
from backend.chargeback.rules.tree import Path
from backend.pricing.charges.rate_card import AttributedQuantity, Labels, RateCard
from backend_client.types.charges import FlatCharge
from backend_client.types.plans import PlanDefinition

Weights: TypeAlias = dict[Path, Fraction]
_Charge: TypeAlias = tuple[str | None, int | None, str]


@dataclass(frozen=True, slots=True)
class UsageCell:
    """The usage of a time in which one plan version and one policy held."""

    plan: PlanDefinition | None
    plan_version: int
    reign: Reign
    usage: Sequence[AttributedQuantity]


@dataclass(slots=True)
class PeriodUsage:
    """The usage of a billing period by charge and by place in the tree."""

    _cells: dict[_Charge, list[tuple[datetime, Weights]]] = field(default_factory=dict)
    _flat: set[_Charge] = field(default_factory=set)
    _summed: dict[CostKey, Weights] = field(default_factory=dict)

    def weights(self, key: CostKey) -> Weights:
        """Return how much of what a charge prices each place used; in the key's cut of time."""
        if key not in self._summed:
            self._summed[key] = self._sum(key)
        return self._summed[key]

    def is_flat(self, plan: str | None, plan_version: int | None, charge: str) -> bool:
        """Return whether a charge of a plan that held in the period is a flat fee."""
        return (plan, plan_version, charge) in self._flat

    def _sum(self, key: CostKey) -> Weights:
        weights: defaultdict[Path, Fraction] = defaultdict(Fraction)
        for start, used in self._cells.get(
            (key.item.plan, key.item.plan_version, key.item.item), ()
        ):
            if key.cut is None or key.cut[0] <= start < key.cut[1]:
                for path, quantity in used.items():
                    weights[path] += quantity
        return dict(weights)


def period_usage(cells: Iterable[UsageCell]) -> PeriodUsage:
    """Find the charge that prices each quantity, by the rule of rating, and who used it."""
    cells_by_charge: defaultdict[_Charge, list[tuple[datetime, Weights]]] = defaultdict(list)
    flat: set[_Charge] = set()
    for cell in cells:
        if cell.plan is None:
            continue
        of_plan = (cell.plan.id, cell.plan_version)
        flat |= {
            (*of_plan, charge.id) for charge in cell.plan.charges if isinstance(charge, FlatCharge)
        }
        for charge_id, weights in _by_charge(cell, RateCard(cell.plan)).items():
            cells_by_charge[*of_plan, charge_id].append((cell.reign.start, dict(weights)))
    return PeriodUsage(dict(cells_by_charge), flat)


def _by_charge(cell: UsageCell, card: RateCard) -> dict[str, defaultdict[Path, Fraction]]:
    places: dict[tuple[str, str, Labels], Path] = {}
    by_charge: defaultdict[str, defaultdict[Path, Fraction]] = defaultdict(
        lambda: defaultdict(Fraction)
    )
    for used in cell.usage:
        metered = used.metered
        charge = card.charge_for(metered.model, metered.meter, metered.window, metered.labels)
        if charge is not None and metered.quantity > 0:
            origin = (used.application, used.key, metered.labels)
            if origin not in places:
                places[origin] = cell.reign.place_of(
                    used.application, used.key, dict(metered.labels)
                )
            by_charge[charge.id][places[origin]] += Fraction(metered.quantity)
    return by_charge
