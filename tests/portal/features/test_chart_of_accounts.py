"""The operator's chart of accounts as a draft: rows, forms, and what saving changes."""

from __future__ import annotations

import pytest

from backend_client import InvalidInput
from backend_client.types.accounting import ChartOfAccounts
from backend_client.types.problems import FieldError, Problem
from portal.features.accounting.chart import (
    ChangeRow,
    account_from,
    accounts_of,
    addition_from,
    change_rows,
    changed,
    changes_of,
    chart_of,
    chart_rows,
    name_of,
    saving_problems,
    standard_of,
)
from portal.kit.form_problems import FormProblems

pytestmark = pytest.mark.fast

CHART = ChartOfAccounts(
    cash="1200",
    cash_by_method={"stripe": "1361", "a.b": "1362"},
    tax_by_name={"VAT": "1776"},
)
HELD = accounts_of(CHART)


def test_a_chart_is_the_same_after_it_was_a_draft() -> None:
    assert chart_of(HELD) == CHART
    assert (HELD["cash_by_method.stripe"], HELD["receivable"]) == ("1361", "Accounts receivable")


def test_every_account_of_the_api_has_a_row_with_a_name() -> None:
    rows = chart_rows(HELD, HELD, {})
    assert [row.id for row in rows if "." not in row.id] == [
        field for field, value in ChartOfAccounts() if isinstance(value, str)
    ]
    assert all(row.name and row.about and row.account for row in rows)
    by_id = {row.id: row for row in rows}
    assert by_id["cash_by_method.a.b"].name == "Cash: a.b"
    assert by_id["receivable"].standard
    assert not by_id["cash"].standard
    places = [row.id for row in rows]
    assert places.index("cash_by_method.stripe") == places.index("cash") + 2


def test_rows_say_what_is_not_saved() -> None:
    draft = changed(HELD, {"cash": "1000", "tax_by_name.VAT": "", "tax_by_name.GST": "1777"})
    rows = {row.id: row for row in chart_rows(HELD, draft, {"cash": "is closed"})}
    assert (rows["cash"].account, rows["cash"].note) == ("1000", "Not saved: was 1200")
    assert rows["cash"].problem == "is closed"
    vat = rows["tax_by_name.VAT"]
    assert (vat.account, vat.note) == ("–", "Not saved: was 1776, goes to Tax payable")
    assert rows["tax_by_name.GST"].note == "Not saved: new"
    assert rows["receivable"].note == ""


def test_what_saving_changes() -> None:
    draft = changed(HELD, {"cash": "1000", "tax_by_name.VAT": "", "revenue_by_plan.growth": "8401"})
    assert change_rows(HELD, draft) == [
        ChangeRow("Cash", "1200", "1000"),
        ChangeRow("Tax: VAT", "1776", "Tax payable"),
        ChangeRow("Revenue: growth", "Revenue", "8401"),
    ]
    assert change_rows(HELD, HELD) == []


def test_changes_can_be_made_to_what_somebody_else_has_saved() -> None:
    mine = changed(HELD, {"cash": "1000", "cash_by_method.stripe": ""})
    theirs = accounts_of(CHART.model_copy(update={"cash": "1100", "tax": "1770"}))
    both = changed(theirs, changes_of(HELD, mine))
    assert (both["cash"], both["tax"]) == ("1000", "1770")
    assert "cash_by_method.stripe" not in both


def test_what_is_written_back_as_it_was_is_no_change() -> None:
    draft = account_from({"account": " 1000 "}, "cash", HELD)
    assert draft["cash"] == "1000"
    assert account_from({"account": "1200"}, "cash", draft) == HELD


@pytest.mark.parametrize("account", ["", "  ", "1" * 101, "12\u202e00"])
def test_an_account_that_cannot_be_used_is_a_problem_of_its_field(account: str) -> None:
    with pytest.raises(FormProblems) as wrong:
        account_from({"account": account}, "cash", HELD)
    assert wrong.value.by_field["account"]
    assert not wrong.value.by_field.get("form")


@pytest.mark.parametrize(
    ("group", "name", "account", "field"),
    [
        ("cash_by_method", "", "1361", "name"),
        ("cash_by_method", "stripe", "1361", "name"),
        ("cash_by_method", "n" * 201, "1361", "name"),
        ("tax_by_name", "V\u202eAT", "1361", "name"),
        ("tax_by_name", "GST", "", "account"),
        ("receivable", "GST", "1361", "group"),
    ],
)
def test_an_addition_that_cannot_be_used_is_a_problem_of_its_field(
    group: str, name: str, account: str, field: str
) -> None:
    with pytest.raises(FormProblems) as wrong:
        addition_from({"group": group, "name": name, "account": account}, HELD)
    assert wrong.value.by_field[field]
    assert not wrong.value.by_field.get("form")


def test_too_many_additions_are_a_problem_of_the_whole() -> None:
    full = HELD | {f"revenue_by_plan.plan-{number}": "8400" for number in range(200)}
    with pytest.raises(FormProblems) as wrong:
        addition_from({"group": "revenue_by_plan", "name": "more", "account": "1"}, full)
    assert set(wrong.value.by_field) == {"form"}


def test_an_addition_has_its_account() -> None:
    draft = addition_from({"group": "tax_by_name", "name": "GST", "account": "1777"}, HELD)
    assert chart_of(draft).tax_by_name == {"VAT": "1776", "GST": "1777"}


def test_defaults_are_those_of_the_api() -> None:
    assert standard_of("cash") == ChartOfAccounts().cash
    assert standard_of("cash_by_method.stripe") == ""
    assert name_of("bad_debt") == "Bad debt"


def test_problems_of_the_api_are_at_their_postings() -> None:
    problem = Problem(
        title="Input not valid",
        status=422,
        code="invalid_input",
        errors=[
            FieldError(field="terms.accounts.cash", detail="is closed"),
            FieldError(field="terms.accounts.cash_by_method.a.b", detail="is unknown"),
            FieldError(field="terms.accounts.tax_by_name.VAT.[key]", detail="is no tax"),
            FieldError(field="terms.datev", detail="lacks a client"),
        ],
    )
    assert saving_problems(InvalidInput(problem), HELD) == {
        "cash": "is closed",
        "cash_by_method.a.b": "is unknown",
        "tax_by_name.VAT": "is no tax",
        "form": "terms.datev: lacks a client",
    }
    whole = Problem(title="Not now", status=422, code="invalid_input", detail="Ask again.")
    assert saving_problems(InvalidInput(whole), HELD) == {"form": "Ask again."}
