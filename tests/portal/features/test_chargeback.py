"""The chargeback page: what its forms make of a policy, and how statements read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from backend_client.types.chargeback import (
    ChargebackMode,
    MonthState,
    Policy,
    RowKind,
    Statement,
    StatementRow,
)
from backend_client.types.common import Money
from backend_client.types.spend import Period
from portal.features.chargeback.forms import (
    NONE,
    UnitValues,
    day_from,
    moved,
    rule_from,
    shared_from,
    terms_from,
    unit_from,
    unit_values,
    without_unit,
)
from portal.features.chargeback.policy_rows import rule_rows, shared_rows, unit_rows
from portal.features.chargeback.rows import bearer_rows, month_note
from portal.kit.form_problems import FormProblems

pytestmark = pytest.mark.fast


def policy() -> Policy:
    """Engineering with two cost centers, as the forms make it."""
    made_of: list[dict[str, str]] = [
        {"code": "ENG", "name": "Engineering", "kind": "department", "parent": NONE, "budget": "9"},
        {"code": "4711", "name": "Search", "kind": "cost_center", "parent": "ENG"},
        {"code": "4712", "name": "Chat", "kind": "cost_center", "parent": "ENG"},
    ]
    whole = Policy()
    for form in made_of:
        whole = unit_from(form, whole)
    whole = rule_from({"application": "app_1", "key": NONE, "label": NONE, "to": "4711"}, whole)
    whole = rule_from({"label": "team", "value": "", "to": NONE}, whole)
    whole = shared_from({"costs": "fee", "split": "even", "among": "ENG"}, whole)
    return shared_from({"costs": NONE, "split": "fixed", "parts": "4711: 60%\n4712 40"}, whole)


def test_a_unit_is_changed_where_it_is_and_keeps_what_names_it() -> None:
    assert unit_values("4711", policy()) == UnitValues("4711", "Search", "cost_center", "ENG", "")
    assert unit_values("none", policy()) == UnitValues()
    form = {"code": "4720", "name": "Finding", "kind": "cost_center", "parent": NONE, "budget": "5"}
    changed = unit_from(form, policy(), "4711")
    assert [(unit.code, unit.name, unit.parent) for unit in changed.units] == [
        ("ENG", "Engineering", None),
        ("4720", "Finding", None),
        ("4712", "Chat", "ENG"),
    ]
    assert changed.rules[0].to == "4720"
    assert [part.code for part in changed.shared[1].parts] == ["4720", "4712"]
    renamed = unit_from({"code": "DEV", "name": "Dev", "kind": "department"}, policy(), "ENG")
    assert [unit.parent for unit in renamed.units] == [None, "DEV", "DEV"]
    assert renamed.shared[0].among == ["DEV"]
    below = {"code": "ENG", "name": "Engineering", "kind": "department", "parent": "4711"}
    with pytest.raises(FormProblems, match="part of what is part of it"):
        unit_from(below, policy(), "ENG")
    with pytest.raises(FormProblems, match="4712 is there already"):
        unit_from(form | {"code": "4712"}, policy(), "4711")


def test_the_forms_make_a_policy() -> None:
    whole = policy()
    assert [(row.name, row.indent, row.budget) for row in unit_rows(whole, "USD")] == [
        ("Engineering", "0px", "$9.00 a month"),
        ("Search", "20px", ""),
        ("Chat", "20px", ""),
    ]
    assert [(row.what, row.goes_to) for row in rule_rows(whole, {"app_1": "Web"})] == [
        ("Application Web", "Search (4711)"),
        ("Label team: any value", "The cost center that it names"),
    ]
    assert [(row.what, row.goes_to) for row in shared_rows(whole)] == [
        ("Fees", "Evenly, among Engineering (ENG)"),
        ("All shared costs", "Search (4711): 60, Chat (4712): 40"),
    ]
    plus = terms_from({"mode": "chargeback", "price": "cost_plus", "percent": "5"}, whole)
    assert (plus.mode, plus.transfer.percent) == (ChargebackMode.CHARGEBACK, 5)
    assert plus.units == whole.units
    assert [rule.to for rule in moved(whole.rules, 1, -1)] == [None, "4711"]
    assert moved(whole.rules, 0, -1) == whole.rules
    assert day_from({"valid_from": "2026-03-01"}) == date(2026, 3, 1)


def test_a_unit_that_goes_takes_along_what_names_it() -> None:
    left = without_unit("4711", policy())
    assert [unit.code for unit in left.units] == ["ENG", "4712"]
    assert [rule.to for rule in left.rules] == [None]
    assert [part.code for part in left.shared[1].parts] == ["4712"]
    top = without_unit("ENG", policy())
    assert {unit.parent for unit in top.units} == {None}
    assert len(top.shared) == 1


@pytest.mark.parametrize(
    ("make", "form", "field"),
    [
        (unit_from, {"code": "4711", "name": "Again"}, "code"),
        (unit_from, {"code": "a b", "name": "Spaced"}, "code"),
        (unit_from, {"code": "4713", "name": ""}, "name"),
        (unit_from, {"code": "4713", "name": "N", "budget": "much"}, "budget"),
        (rule_from, {"to": "4711"}, "form"),
        (shared_from, {"split": "fixed", "parts": ""}, "parts"),
        (shared_from, {"split": "fixed", "parts": "4711 60 70"}, "parts"),
        (terms_from, {"price": "cost_plus", "percent": "five"}, "percent"),
    ],
)
def test_what_is_wrong_stands_at_its_field(make: object, form: dict[str, str], field: str) -> None:
    assert callable(make)
    with pytest.raises(FormProblems) as raised:
        make(form, policy())
    assert field in raised.value.by_field
    with pytest.raises(FormProblems):
        day_from({"valid_from": ""})


def usd(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


def row(kind: RowKind, *path: str, cost: str, **changes: Money) -> StatementRow:
    nothing = usd("0.00")
    return StatementRow(
        kind=kind,
        path=list(path),
        code=path[-1] if path else None,
        name=path[-1] if path else "Unallocated",
        cost=usd(cost),
        adjustments=nothing,
        charged=usd(cost),
        margin=nothing,
        tax=nothing,
        **changes,
    )


def test_a_statement_reads_as_a_tree() -> None:
    start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    statement = Statement(
        month=date(2026, 3, 1),
        period=Period(start=start, end=end, time_zone="UTC"),
        state=MonthState.OPEN,
        mode=ChargebackMode.SHOWBACK,
        rows=[
            row(RowKind.DEPARTMENT, "ENG", cost="90.00", budget=usd("80.00"), used=usd("90.00")),
            row(RowKind.COST_CENTER, "ENG", "4711", cost="90.00"),
            row(RowKind.UNALLOCATED, cost="0.00"),
        ],
        **dict.fromkeys(("cost", "tax", "allocated", "unallocated", "prepaid"), usd("90.00")),
        **dict.fromkeys(("charged", "margin", "adjustments"), usd("90.00")),
    )
    first, second = bearer_rows(statement)
    assert (first.name, first.strong, first.budget, first.over) == (
        "ENG",
        True,
        "113% of $80.00",
        True,
    )
    assert (second.indent, second.opens, second.adjustments) == ("20px", "4711", "")
    assert month_note(statement).startswith("Invoiced. Close it")
    closed = statement.model_copy(update={"state": MonthState.CLOSED, "closed_at": end})
    assert month_note(closed).endswith("there is no journal.")
