"""A policy's departments and rules as rows. Plain functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from backend_client.types.chargeback import (
    AllocationRule,
    ChargebackMode,
    Policy,
    PolicyVersion,
    PriceKind,
    SharedCost,
    SharedRule,
    Split,
    TransferPrice,
    Unit,
    UnitKind,
)
from backend_client.types.common import plain
from portal.kit.choice import Choice
from portal.kit.formatting import day, money

COSTS = {
    SharedCost.FEE: "fees",
    SharedCost.MINIMUM: "minimums",
    SharedCost.COMMITMENT: "commitments",
    SharedCost.REDUCTION: "discounts and other reductions",
}
MODES = {
    ChargebackMode.SHOWBACK: "Showback: departments see their costs",
    ChargebackMode.CHARGEBACK: "Chargeback: closed months have a journal",
}


@dataclass(frozen=True)
class UnitRow:
    """A unit as the editor shows it."""

    code: str
    name: str
    kind: str
    indent: str
    budget: str
    price: str


@dataclass(frozen=True)
class RuleRow:
    """A rule as the editor shows it; ``place`` is where it stands, from 0."""

    place: int
    number: str
    what: str
    goes_to: str


def version_choice(version: PolicyVersion) -> Choice:
    """A policy in the list to choose from."""
    closed = " (closed months depend on it)" if version.locked else ""
    return Choice(version.valid_from.isoformat(), f"From {day(version.valid_from)}{closed}")


def unit_rows(policy: Policy, currency: str) -> list[UnitRow]:
    """The tree, each unit below its parent."""
    return [
        UnitRow(
            code=unit.code,
            name=unit.name,
            kind="Department" if unit.kind is UnitKind.DEPARTMENT else "Cost center",
            indent=f"{depth * 20}px",
            budget="" if unit.budget is None else f"{money(unit.budget, currency)} a month",
            price="" if unit.transfer is None else price_name(unit.transfer),
        )
        for depth, unit in _in_tree(policy)
    ]


def parents_of(policy: Policy) -> list[Choice]:
    """The departments that a unit can be put below."""
    departments = [unit for unit in policy.units if unit.kind is UnitKind.DEPARTMENT]
    return [Choice(unit.code, f"{unit.name} ({unit.code})") for unit in departments]


def cost_centers_of(policy: Policy) -> list[Choice]:
    """The cost centers that rules can name."""
    centers = [unit for unit in policy.units if unit.kind is UnitKind.COST_CENTER]
    return [Choice(unit.code, f"{unit.name} ({unit.code})") for unit in centers]


def rule_rows(policy: Policy, names: Mapping[str, str]) -> list[RuleRow]:
    """The rules for usage, in their order; ``names`` are those of applications and keys."""
    return [
        RuleRow(place, str(place + 1), _condition(rule, names), _target(rule, policy))
        for place, rule in enumerate(policy.rules)
    ]


def shared_rows(policy: Policy) -> list[RuleRow]:
    """The rules for shared costs, in their order."""
    return [
        RuleRow(place, str(place + 1), _shared(rule), _split(rule, policy))
        for place, rule in enumerate(policy.shared)
    ]


def price_name(transfer: TransferPrice) -> str:
    """A transfer price in words."""
    match transfer.price:
        case PriceKind.COST:
            return "At cost"
        case PriceKind.COST_PLUS:
            return f"Cost plus {plain(transfer.percent)}%"
        case PriceKind.LIST:
            return "List: before discounts"


def _in_tree(
    policy: Policy, parent: str | None = None, depth: int = 0
) -> Iterator[tuple[int, Unit]]:
    for unit in policy.units:
        if unit.parent == parent:
            yield depth, unit
            yield from _in_tree(policy, unit.code, depth + 1)


def _name(policy: Policy, code: str) -> str:
    return next((f"{unit.name} ({code})" for unit in policy.units if unit.code == code), code)


def _condition(rule: AllocationRule, names: Mapping[str, str]) -> str:
    parts = []
    if rule.application is not None:
        parts.append(f"Application {names.get(rule.application, rule.application)}")
    if rule.key is not None:
        parts.append(f"Key {names.get(rule.key, rule.key)}")
    if rule.label is not None:
        value = "any value" if rule.value is None else rule.value
        parts.append(f"Label {rule.label}: {value}")
    return ", ".join(parts)


def _target(rule: AllocationRule, policy: Policy) -> str:
    return "The cost center that it names" if rule.to is None else _name(policy, rule.to)


def _shared(rule: SharedRule) -> str:
    kinds = ", ".join(COSTS[cost] for cost in rule.costs) or "all shared costs"
    items = f" of {', '.join(rule.items)}" if rule.items else ""
    return f"{kinds[:1].upper()}{kinds[1:]}{items}"


def _split(rule: SharedRule, policy: Policy) -> str:
    if rule.split is Split.FIXED:
        return ", ".join(f"{_name(policy, part.code)}: {plain(part.part)}" for part in rule.parts)
    how = "Evenly" if rule.split is Split.EVEN else "By costs of usage"
    among = ", ".join(_name(policy, code) for code in rule.among) or "all"
    return f"{how}, among {among}"
