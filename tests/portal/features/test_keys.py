"""API keys in words, and what their form asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend_client.types.accounts import ApiKey, Scope
from backend_client.types.limits import KeyBudget, KeyBudgetUse, RateLimits
from portal.features.keys.forms import change_from_form, key_from_form, rotation_from_form
from portal.features.keys.rows import (
    grace_text,
    key_edit,
    key_rows,
    sources_text,
    time_left,
)
from portal.kit.form_problems import FormProblems
from portal.shared.bounds.words import budget_part, budget_text

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUDGET = KeyBudget(amount=Decimal("20.5"), period="month", limit="hard")


def key(name: str = "web", **changes: Any) -> ApiKey:
    values: dict[str, Any] = {
        "id": f"key_{name}",
        "name": name,
        "application_id": "app_1",
        "prefix": "fb_live_",
        "last_four": "abcd",
        "scopes": [Scope.INFERENCE],
        "models": None,
        "created_at": NOW,
        "created_by": "usr_1",
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": None,
    }
    return ApiKey(**values | changes)


def use(used: str, remaining: str) -> KeyBudgetUse:
    return KeyBudgetUse(
        budget=BUDGET,
        currency="USD",
        used=Decimal(used),
        held=Decimal(0),
        remaining=Decimal(remaining),
        start=NOW,
        resets_at=NOW + timedelta(days=30),
    )


def test_usable_keys_stand_first_then_disabled_ones() -> None:
    keys = [
        key("gone", revoked_at=NOW),
        key("off", disabled_at=NOW),
        key("over", expires_at=NOW - timedelta(days=1)),
        key("on"),
    ]
    rows = key_rows(keys, [], NOW, "UTC")
    assert [(row.name, row.status) for row in rows][:2] == [("on", "active"), ("off", "disabled")]
    assert {row.name for row in rows if row.is_open} == {"on", "off"}


def test_a_budget_says_what_is_used_and_whether_it_is_over() -> None:
    assert budget_text(use("1.25", "19.25")).endswith(" of $20.50 this month")
    assert (budget_part(use("1.25", "19.25")), budget_part(use("99", "0"))) == (6, 100)
    (row,) = key_rows([key(budget=BUDGET)], [], NOW, "UTC", {"key_web": use("20.5", "0")})
    assert (row.budget_over, row.budget_part) == (True, 100)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=2, hours=3, minutes=59), "2 d 3 h"),
        (timedelta(hours=3, minutes=20), "3 h 20 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(seconds=61), "2 min"),
        (timedelta(seconds=1), "1 min"),
    ],
)
def test_time_counts_down_in_its_largest_units(left: timedelta, words: str) -> None:
    assert time_left(left) == words


def test_old_secrets_are_told_of_while_they_work() -> None:
    until = NOW + timedelta(hours=3)
    assert grace_text(key(previous_until=until, previous_count=1), NOW, "UTC").startswith(
        "The old secret works for 3 h more, until "
    )
    two = grace_text(key(previous_until=until, previous_count=2), NOW, "UTC")
    assert two.startswith("Old secrets work for 3 h more")
    assert grace_text(key(previous_until=NOW), NOW, "UTC") == ""
    assert grace_text(key(), NOW, "UTC") == ""


def test_a_key_says_where_it_is_taken_from() -> None:
    assert sources_text(key()) == ""
    assert sources_text(key(origins=["*"])) == "Web pages: any"
    both = key(addresses=["203.0.113.0/24"], origins=["https://a.example", "https://b.example"])
    assert sources_text(both) == (
        "From 203.0.113.0/24 · Web pages: https://a.example, https://b.example"
    )


def test_the_form_asks_for_what_is_written_in_it() -> None:
    form = {
        "name": " web ",
        "application": "app_1",
        "expiry": "30",
        "scope:inference": "on",
        "model:small": "on",
        "requests": "60",
        "tokens": "",
        "budget": "20.5",
        "budget_period": "day",
        "budget_limit": "soft",
    }
    wanted = key_from_form(form, NOW)
    assert (wanted.name, wanted.models) == ("web", ["small"])
    assert wanted.expires_at == NOW + timedelta(days=30)
    assert wanted.limits == RateLimits(requests_per_minute=60)
    assert wanted.budget == KeyBudget(amount=Decimal("20.5"), period="day", limit="soft")


def test_what_can_not_be_is_said_at_its_field() -> None:
    form = {"name": "", "application": "a", "requests": "0", "budget": "1"}
    with pytest.raises(FormProblems) as problem:
        key_from_form(form, NOW)
    assert set(problem.value.by_field) == {"requests"}
    with pytest.raises(FormProblems) as problem:
        key_from_form({"name": "", "budget": "", "requests": ""}, NOW)
    assert set(problem.value.by_field) == {"name", "scopes"}
    with pytest.raises(FormProblems) as problem:
        change_from_form({"name": "x", "scope:inference": "on", "budget": "much"}, NOW)
    assert set(problem.value.by_field) == {"budget"}
    form = {"name": "x", "scope:inference": "on", "addresses": "1.1.1.1 here", "origins": "a.b"}
    with pytest.raises(FormProblems) as problem:
        change_from_form(form, NOW)
    assert set(problem.value.by_field) == {"addresses", "origins"}


def test_an_edit_that_changes_nothing_asks_for_what_is() -> None:
    before = key(
        expires_at=NOW,
        models=["small"],
        budget=BUDGET,
        limits=RateLimits(tokens_per_minute=9),
        addresses=["203.0.113.0/24", "2001:db8::/32"],
        origins=["https://app.example.com", "https://*.a.example"],
    )
    shown = key_edit(before, "UTC")
    form = {
        "name": shown.name,
        "expiry": "keep",
        "model:small": "on",
        "scope:inference": "on",
        "tokens": shown.tokens,
        "budget": shown.budget,
        "budget_period": shown.budget_period,
        "budget_limit": shown.budget_limit,
        "addresses": shown.addresses,
        "origins": shown.origins,
    }
    change = change_from_form(form, NOW)
    assert "expires_at" not in change.model_fields_set
    assert (change.budget, change.limits, change.models) == (BUDGET, before.limits, ["small"])
    assert (change.addresses, change.origins) == (before.addresses, before.origins)
    emptied = change_from_form(form | {"addresses": "", "origins": " \n"}, NOW)
    assert (emptied.addresses, emptied.origins) == (None, None)
    assert {"addresses", "origins"} <= emptied.model_fields_set
    assert change_from_form(form | {"expiry": "never"}, NOW).expires_at is None
    assert "expires_at" in change_from_form(form | {"expiry": "never"}, NOW).model_fields_set


def test_a_model_that_is_not_offered_now_stays() -> None:
    """Else a new name would open every model to a key for one that nobody serves now."""
    form = {"name": "new", "expiry": "keep", "scope:inference": "on"}
    assert change_from_form(form, NOW, not_offered=["retired"]).models == ["retired"]
    both = change_from_form(form | {"model:small": "on"}, NOW, not_offered=["retired"])
    assert both.models == ["small", "retired"]
    assert change_from_form(form, NOW).models is None


def test_a_rotation_has_the_overlap_that_was_chosen() -> None:
    assert rotation_from_form({"overlap": "0"}).grace_seconds == 0
    assert rotation_from_form({"overlap": "604800"}).grace_seconds == 7 * 24 * 3600
    assert rotation_from_form({"overlap": "1"}).grace_seconds == 24 * 3600


def test_a_key_says_whose_it_is() -> None:
    keys = [
        key("ada's", created_by="usr_ada"),
        key("of a job", service_account=True),
        key("of nobody here", created_by="usr_gone"),
    ]
    rows = {row.name: row for row in key_rows(keys, [], NOW, "UTC", members={"usr_ada": "Ada"})}
    assert [rows[each.name].owner for each in keys] == ["Ada", "Service account", ""]
    assert key_edit(keys[1], "UTC").service_account


def test_who_may_not_make_service_accounts_changes_nothing_of_them() -> None:
    form = {"name": "web", "application": "app_1", "scope:inference": True}
    assert "service_account" not in change_from_form(form, NOW).model_fields_set
    offered = form | {"offers_service_account": "1"}
    assert change_from_form(offered, NOW).service_account is False
    assert key_from_form(offered | {"service_account": "on"}, NOW).service_account
