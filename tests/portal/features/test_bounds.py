"""Limits and budgets as forms ask for them, and as the applications page shows them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from backend_client import Forbidden, NotFound, Unavailable
from backend_client.types.accounts import ApiKey, Application, Scope
from backend_client.types.limits import (
    KeyBudget,
    KeyBudgetUse,
    LabelBudget,
    LimitUse,
    ModelLimits,
    RateLimits,
)
from backend_client.types.problems import Problem
from portal.features.applications.rows import (
    application_rows,
    by_field,
    change_of_bounds,
    label_budget_from_form,
    label_budget_row,
    use_rows,
)
from portal.features.customer.forms import by_field as customer_field
from portal.features.customer.forms import label_budget_from
from portal.features.customer.keys.bounds_rows import (
    MOST,
    MOST_WITHOUT,
    BoundRow,
    bound_rows,
    most_shown,
)
from portal.features.customer.keys.state import key_row
from portal.kit.form_problems import FormProblems
from portal.shared.bounds.forms import bounds_edit, model_limits_of
from portal.shared.bounds.uses import AT_A_TIME, budget_uses
from portal.shared.bounds.words import all_limits_text
from portal.shared.customer.state import Customer

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
OF_MODELS = [
    ModelLimits(models=["small:8b", "large"], requests_per_minute=10, concurrent_requests=2),
    ModelLimits(models=["huge"], tokens_per_minute=5_000),
]
BUDGET = KeyBudget(amount=Decimal("20.50"), period="day", limit="soft")
USE = KeyBudgetUse(
    budget=BUDGET,
    currency="USD",
    used=Decimal("20.5"),
    held=Decimal(0),
    remaining=Decimal(0),
    start=NOW,
    resets_at=NOW,
)
FORM: dict[str, Any] = {
    "requests": "600",
    "tokens": "",
    "concurrent": "4",
    "model_limits": "small:8b, large: 10 requests, 2 at a time\n\nhuge: 5000 tokens",
    "budget": "20.50",
    "budget_period": "day",
    "budget_limit": "soft",
}


def test_what_a_form_shows_is_what_it_asks_for() -> None:
    change = change_of_bounds(FORM)
    limits = RateLimits(requests_per_minute=600, concurrent_requests=4)
    assert (change.limits, change.model_limits, change.budget) == (limits, OF_MODELS, BUDGET)
    shown = bounds_edit(limits, OF_MODELS, BUDGET)
    assert change_of_bounds(vars(shown)) == change
    assert vars(shown) == FORM | {
        "model_limits": FORM["model_limits"].replace("\n\n", "\n"),
        "budget": "20.5",
    }
    nothing = change_of_bounds({})
    assert (nothing.limits, nothing.model_limits, nothing.budget) == (RateLimits(), [], None)
    assert nothing.model_fields_set == {"limits", "model_limits", "budget"}


@pytest.mark.parametrize(
    "line",
    [
        "large",
        "large: 10",
        "large: ten requests",
        "large: 10 requests, 5 requests",
        ": 10 requests",
        "large, large: 10 requests",
        "large: 0 requests",
        "large: 10 requests 5 tokens",
    ],
)
def test_lines_that_are_no_limits_on_models(line: str) -> None:
    with pytest.raises(FormProblems) as wrong:
        model_limits_of(f"huge: 1 request\n{line}")
    assert set(wrong.value.by_field) == {"model_limits"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"requests": "0"}, "requests"),
        ({"tokens": "many"}, "tokens"),
        ({"budget": "-1"}, "budget"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(change: dict[str, str], field: str) -> None:
    with pytest.raises(FormProblems) as wrong:
        change_of_bounds(FORM | change)
    assert set(wrong.value.by_field) == {field}


def test_what_the_api_refuses_is_said_at_its_field() -> None:
    wrong = [("model_limits.0.models", "use ids of the catalog"), ("value", "x"), ("", "other")]
    assert set(by_field(wrong)) == {"model_limits", "value", "form"}
    with pytest.raises(FormProblems) as missing:
        label_budget_from_form({"label": "team", "value": "", "budget": "5"})
    assert set(missing.value.by_field) == {"value"}


def test_what_is_used_and_left_is_shown() -> None:
    uses = [
        LimitUse(limit="requests_per_minute", models=None, most=1_000, remaining=400, full_at=NOW),
        LimitUse(limit="concurrent_requests", models=["large"], most=2, remaining=2, full_at=None),
    ]
    first, second = use_rows(uses)
    assert (first.name, first.part) == ("Requests a minute", 60)
    assert first.text == "600 used, 400 left of 1,000"
    assert (second.name, second.part) == ("Requests at a time of large", 0)
    limits = RateLimits(requests_per_minute=600)
    application = Application(
        id="app_1",
        name="Web",
        created_at=NOW,
        limits=limits,
        model_limits=OF_MODELS,
        budget=BUDGET,
    )
    (row,) = application_rows([application], [], None, NOW, "UTC", {"app_1": USE})
    assert row.limits == all_limits_text(limits, OF_MODELS)
    assert row.limits.startswith("600 requests/min · small:8b, large: 10 requests/min, 2 at a time")
    assert (row.budget_over, row.budget_part) == (True, 100)
    budget = LabelBudget(id="lbd_1", label="team", value="search", budget=BUDGET, created_at=NOW)
    shown = label_budget_row(budget, USE, "UTC")
    assert (shown.name, shown.over) == ("team = search", True)
    assert shown.used.endswith("$20.50 today (soft)")


def test_the_operator_sees_what_bounds_a_customers_calls() -> None:
    use = KeyBudgetUse.model_validate(
        {
            "budget": {"amount": "20", "period": "month", "limit": "hard"},
            "currency": "USD",
            "used": "5",
            "held": "0",
            "remaining": "15",
            "start": "2026-11-01T00:00:00Z",
            "resets_at": "2026-12-01T00:00:00Z",
        }
    )
    made_at = "2026-11-01T00:00:00Z"
    free, limited = (
        Application.model_validate({"id": name, "name": name, "created_at": made_at} | more)
        for name, more in (
            ("app_free", {}),
            ("app_limited", {"limits": {"concurrent_requests": 2}, "budget": use.budget}),
        )
    )
    of_search = LabelBudget.model_validate(
        {
            "id": "lbd_1",
            "label": "team",
            "value": "search",
            "budget": use.budget,
            "created_at": made_at,
        }
    )
    rows = bound_rows([free, limited], [of_search], {"app_limited": use})
    spent = "$5.00 of $20.00 this month"
    assert rows == [
        BoundRow("app_free", "app_free", "Application", "", ""),
        BoundRow("app_limited", "app_limited", "Application", "2 at a time", spent, 25, False),
        BoundRow("lbd_1", "team = search", "Label", "", ""),
    ]


def test_what_bounds_a_customers_key_is_in_its_row() -> None:
    key = ApiKey(
        id="key_1",
        name="Web",
        prefix="fbk_",
        last_four="1234",
        application_id="app_1",
        scopes=[Scope.INFERENCE],
        created_at=NOW,
        models=None,
        created_by=None,
        expires_at=None,
        revoked_at=None,
        last_used_at=None,
        limits=RateLimits(concurrent_requests=2),
        budget=KeyBudget(amount=Decimal(25), period="month"),
    )
    customer = Customer(time_zone="UTC", currency="EUR")
    row = key_row(key, {}, customer, NOW)
    assert row.bounds == "2 at a time · €25.00 a month"
    bare = key.model_copy(update={"limits": RateLimits(), "budget": None})
    assert key_row(bare, {}, customer, NOW).bounds == ""


def test_problems_of_a_customers_bounds_are_at_their_fields() -> None:
    paths = [("limits.requests_per_minute", "x"), ("budget.amount", "y"), ("label", "none such")]
    named = customer_field(paths)
    assert named.keys() == {"requests", "budget", "label"}
    assert named["label"] == "none such"
    # The amount of a payment is another
    assert customer_field([("amount", "too much")]) == {"amount": "too much"}
    with pytest.raises(FormProblems) as wrong:
        label_budget_from({"label": "team", "value": "a", "budget": "none"})
    assert wrong.value.by_field.keys() == {"budget"}


async def test_only_budgets_that_are_gone_are_excused() -> None:
    async def used() -> KeyBudgetUse:
        return USE

    async def gone() -> KeyBudgetUse:
        raise NotFound(Problem(title="There is no such budget", status=404))

    async def broken() -> KeyBudgetUse:
        raise Unavailable("The API can't be reached.")

    assert await budget_uses({"a": used, "b": gone}) == {"a": USE}
    with pytest.raises(Unavailable):
        await budget_uses({"a": used, "b": broken, "c": gone})


async def test_who_may_see_no_budget_is_not_refused_for_each() -> None:
    asked = 0

    async def refused() -> KeyBudgetUse:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        raise Forbidden(Problem(title="Not for this role", status=403))

    with pytest.raises(Forbidden):
        await budget_uses({str(number): refused for number in range(50)})
    assert asked <= AT_A_TIME


async def test_budgets_are_asked_for_a_few_at_a_time() -> None:
    now = most = 0

    async def used() -> KeyBudgetUse:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return USE

    uses = await budget_uses({str(number): used for number in range(50)})
    assert len(uses) == 50
    assert most == AT_A_TIME


def test_of_a_customer_with_many_bounds_some_are_shown_and_that_there_are_more() -> None:
    budgeted = [application(f"app_b{number}", budget=BUDGET) for number in range(100)]
    limited = [application(f"app_l{number}", model_limits=OF_MODELS) for number in range(100)]
    budgets = [
        LabelBudget(id=f"lbd_{number}", label="team", value="a", budget=BUDGET, created_at=NOW)
        for number in range(MOST + 1)
    ]
    free, gone = application("app_free"), application("app_gone", archived_at=NOW)
    shown, labels, more = most_shown([gone, free, *limited, *budgeted], budgets)
    # What is used of a budget is worth more than a limit; the rest can be given either
    assert shown == [*budgeted[:MOST], *limited]
    assert (labels, more) == (budgets[:MOST], True)
    assert most_shown([gone, free, *limited[:2]], []) == ([*limited[:2], free], [], False)
    many = [application(f"app_{number}") for number in range(MOST_WITHOUT + 1)]
    assert most_shown(many, []) == (many[:MOST_WITHOUT], [], True)
    assert most_shown([*limited[:2], *budgeted[:2]], budgets[:MOST])[2] is False
    assert most_shown([], budgets) == ([], budgets[:MOST], True)


def application(name: str, **bounds: Any) -> Application:
    return Application(id=name, name=name, created_at=NOW, **bounds)
