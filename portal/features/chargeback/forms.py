"""What the forms of the chargeback page make of a policy. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from backend_client.types.chargeback import (
    AllocationRule,
    Policy,
    SharedRule,
    Split,
    TransferPrice,
    Unit,
)
from portal.kit.form_problems import FormProblems, checked, text_of

FIELDS = (
    *("code", "name", "kind", "parent", "budget", "application", "key", "label", "value", "to"),
    *("costs", "split", "among", "parts", "price", "percent", "mode", "valid_from", "form"),
)
NONE = "-"
"""Stands for nothing in a list to choose from, which has no empty value."""


@dataclass(frozen=True)
class UnitValues:
    """What the form of a unit begins with."""

    code: str = ""
    name: str = ""
    kind: str = "cost_center"
    parent: str = NONE
    budget: str = ""


def unit_values(code: str, policy: Policy) -> UnitValues:
    """A unit of the policy as its form shows it; an empty form if there is none."""
    for unit in policy.units:
        if unit.code == code:
            budget = "" if unit.budget is None else f"{unit.budget:f}"
            return UnitValues(unit.code, unit.name, unit.kind.value, unit.parent or NONE, budget)
    return UnitValues()


def unit_from(form: Mapping[str, Any], policy: Policy, editing: str = "") -> Policy:
    """The policy with another unit, or with ``editing`` changed; raises ``FormProblems``.

    What names a unit by its code names it by the new one then.
    """
    problems: dict[str, str] = {}
    code = text_of(form, "code")
    if any(unit.code == code != editing for unit in policy.units):
        problems["code"] = f"{code} is there already."
    values = {
        "code": code,
        "name": text_of(form, "name"),
        "kind": text_of(form, "kind") or "cost_center",
        "parent": _chosen(form, "parent"),
        "budget": _number(form, "budget", problems),
    }
    unit = checked(Unit, values, problems, by_field)
    if not editing:
        return policy.model_copy(update={"units": [*policy.units, unit]})
    if unit.parent is not None and unit.parent in _below(editing, policy):
        raise FormProblems({"parent": "It can’t be part of what is part of it."})
    units = [
        unit.model_copy(update={"transfer": before.transfer})
        if before.code == editing
        else before.model_copy(update={"parent": code})
        if before.parent == editing
        else before
        for before in policy.units
    ]
    return _renamed(policy.model_copy(update={"units": units}), editing, code)


def _below(code: str, policy: Policy) -> set[str]:
    """A unit's code and those of all that is part of it."""
    below = {code}
    for _ in policy.units:
        below |= {unit.code for unit in policy.units if unit.parent in below}
    return below


def _renamed(policy: Policy, old: str, new: str) -> Policy:
    """The policy whose rules name a unit by another code."""
    rules = [
        rule.model_copy(update={"to": new}) if rule.to == old else rule for rule in policy.rules
    ]
    shared = [
        rule.model_copy(
            update={
                "among": [new if code == old else code for code in rule.among],
                "parts": [
                    part.model_copy(update={"code": new}) if part.code == old else part
                    for part in rule.parts
                ],
            }
        )
        for rule in policy.shared
    ]
    return policy.model_copy(update={"rules": rules, "shared": shared})


def without_unit(code: str, policy: Policy) -> Policy:
    """The policy without a unit, and without what names it; what was below it moves up."""
    removed_unit = next((unit for unit in policy.units if unit.code == code), None)
    units = [
        unit.model_copy(update={"parent": removed_unit.parent})
        if removed_unit and unit.parent == code
        else unit
        for unit in policy.units
        if unit.code != code
    ]
    rules = [rule for rule in policy.rules if rule.to != code]
    shared = []
    for rule in policy.shared:
        parts = [part for part in rule.parts if part.code != code]
        among = [named for named in rule.among if named != code]
        emptied = (rule.parts and not parts) or (rule.among and not among)
        if not emptied:
            shared.append(rule.model_copy(update={"parts": parts, "among": among}))
    return policy.model_copy(update={"units": units, "rules": rules, "shared": shared})


def rule_from(form: Mapping[str, Any], policy: Policy) -> Policy:
    """The policy with another rule for usage, the last; raises ``FormProblems``."""
    values = {
        "application": _chosen(form, "application"),
        "key": _chosen(form, "key"),
        "label": _chosen(form, "label"),
        "value": text_of(form, "value") or None,
        "to": _chosen(form, "to"),
    }
    rule = checked(AllocationRule, values, {}, by_field)
    return policy.model_copy(update={"rules": [*policy.rules, rule]})


def shared_from(form: Mapping[str, Any], policy: Policy) -> Policy:
    """The policy with another rule for shared costs, the last; raises ``FormProblems``.

    ``parts`` are lines of a code and a number; ``among`` are codes, separated by commas.
    """
    problems: dict[str, str] = {}
    split = text_of(form, "split") or Split.EVEN.value
    costs = _chosen(form, "costs")
    values = {
        "costs": [] if costs is None else [costs],
        "split": split,
        "among": [code.strip() for code in text_of(form, "among").split(",") if code.strip()],
        "parts": _parts(form, problems) if split == Split.FIXED.value else [],
    }
    if split == Split.FIXED.value and not values["parts"] and not problems:
        problems["parts"] = "Write a line for each cost center: its code, and its part."
    rule = checked(SharedRule, values, problems, by_field)
    return policy.model_copy(update={"shared": [*policy.shared, rule]})


def terms_from(form: Mapping[str, Any], policy: Policy) -> Policy:
    """The policy with another mode and price; raises ``FormProblems``."""
    problems: dict[str, str] = {}
    values = {
        "price": text_of(form, "price") or "cost",
        "percent": _number(form, "percent", problems) or Decimal(0),
    }
    transfer = checked(TransferPrice, values, problems, by_field)
    mode = text_of(form, "mode") or policy.mode.value
    whole = policy.model_dump() | {"mode": mode, "transfer": transfer.model_dump()}
    return checked(Policy, whole, {}, by_field)


def moved(rules: list[Any], place: int, by: int) -> list[Any]:
    """The rules with one moved up or down, if there is room."""
    other = place + by
    if not (0 <= place < len(rules) and 0 <= other < len(rules)):
        return rules
    changed = list(rules)
    changed[place], changed[other] = changed[other], changed[place]
    return changed


def day_from(form: Mapping[str, Any]) -> date:
    """The day from which a policy is to hold; raises ``FormProblems``."""
    text = text_of(form, "valid_from")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise FormProblems({"valid_from": "Choose the day from which this holds."}) from None


def by_field(problems: list[tuple[str, str]]) -> dict[str, str]:
    """The fields of the forms that problems are of, which name them as the API does."""
    by_name: dict[str, str] = {}
    for path, detail in problems:
        name = path.partition(".")[0]
        is_field = name in FIELDS
        why = detail if is_field or not path else f"{path}: {detail}"
        by_name.setdefault(name if is_field else "form", why)
    return by_name


def _chosen(form: Mapping[str, Any], name: str) -> str | None:
    text = text_of(form, name)
    return None if text in ("", NONE) else text


def _parts(form: Mapping[str, Any], problems: dict[str, str]) -> list[dict[str, str]]:
    parts = []
    for line in text_of(form, "parts").splitlines():
        words = line.replace(":", " ").replace("%", " ").split()
        if len(words) == 2:
            parts.append({"code": words[0], "part": words[1]})
        elif words:
            problems["parts"] = f"{line!r}: write a code and its part, such as 4711 60."
    return parts


def _number(form: Mapping[str, Any], name: str, problems: dict[str, str]) -> Decimal | None:
    text = text_of(form, name)
    if not text:
        return None
    try:
        number = Decimal(text)
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite():
        problems[name] = "Write a number, such as 12.50."
        return None
    return number
