"""A policy's tree of departments and cost centers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from backend_client.types.chargeback import Policy, SharedRule, Unit, UnitKind
from backend_client.types.problems import FieldError

Path: TypeAlias = tuple[str, ...]
"""Codes from the top of the tree down to a unit; empty for what nobody bears."""

UNALLOCATED: Final[Path] = ()


class Tree:
    """The units of a policy whose ``faults`` are none."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self.units = {unit.code: unit for unit in units}
        self.paths = {code: self._path(code) for code in self.units}

    def cost_centers(self, among: Iterable[str] = ()) -> list[Path]:
        """Return the paths of cost centers: those named or in a named department; all if none."""
        named = set(among)
        return [
            path
            for code, path in self.paths.items()
            if self.units[code].kind is UnitKind.COST_CENTER and (not named or named & set(path))
        ]

    def cost_center(self, code: str | None) -> Path | None:
        """Return the path of a cost center; None if there is none of this code."""
        unit = self.units.get(code or "")
        if unit is None or unit.kind is not UnitKind.COST_CENTER:
            return None
        return self.paths[unit.code]

    def _path(self, code: str) -> Path:
        unit = self.units[code]
        return (code,) if unit.parent is None else (*self._path(unit.parent), code)


def faults(policy: Policy) -> list[FieldError]:
    """Return what of a policy can't be: each with its field, and what is wrong there."""
    wrong = list(_of_units(policy))
    if wrong:
        return wrong
    tree = Tree(policy.units)
    for place, rule in enumerate(policy.rules):
        if rule.to is not None and tree.cost_center(rule.to) is None:
            wrong.append(_fault(f"rules.{place}.to", f"{rule.to} is no cost center"))
    for place, shared in enumerate(policy.shared):
        wrong += _of_shared(f"shared.{place}", shared, tree)
    return wrong


def _of_units(policy: Policy) -> Iterator[FieldError]:
    by_code = {unit.code: unit for unit in policy.units}
    counts = Counter(unit.code for unit in policy.units)
    for place, unit in enumerate(policy.units):
        field = f"units.{place}"
        if counts[unit.code] > 1:
            yield _fault(f"{field}.code", f"{unit.code} is there {counts[unit.code]} times")
        parent = None if unit.parent is None else by_code.get(unit.parent)
        if unit.parent is not None and parent is None:
            yield _fault(f"{field}.parent", f"there is no unit {unit.parent}")
        elif parent is not None and parent.kind is not UnitKind.DEPARTMENT:
            yield _fault(f"{field}.parent", f"{unit.parent} is a cost center, not a department")
        elif _is_in_a_circle(unit, by_code):
            yield _fault(f"{field}.parent", f"{unit.code} would be below itself")
        if unit.transfer is not None and unit.kind is not UnitKind.COST_CENTER:
            yield _fault(f"{field}.transfer", "only cost centers have a price of their own")


def _is_in_a_circle(unit: Unit, by_code: dict[str, Unit]) -> bool:
    passed = {unit.code}
    above = unit.parent
    while above is not None and above in by_code:
        if above in passed:
            return above == unit.code
        passed.add(above)
        above = by_code[above].parent
    return False


def _of_shared(field: str, shared: SharedRule, tree: Tree) -> Iterator[FieldError]:
    for place, code in enumerate(shared.among):
        if code not in tree.units:
            yield _fault(f"{field}.among.{place}", f"there is no unit {code}")
    if shared.among and not tree.cost_centers(shared.among):
        yield _fault(f"{field}.among", "there is no cost center among them")
    for place, part in enumerate(shared.parts):
        if tree.cost_center(part.code) is None:
            yield _fault(f"{field}.parts.{place}.code", f"{part.code} is no cost center")
    counts = Counter(part.code for part in shared.parts)
    for place, part in enumerate(shared.parts):
        if counts[part.code] > 1:
            yield _fault(f"{field}.parts.{place}.code", f"{part.code} is there more than once")


def _fault(field: str, detail: str) -> FieldError:
    return FieldError(field=field, detail=detail)
