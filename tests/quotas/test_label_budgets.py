"""Budgets of labels' values and of applications, by the API: what they may be, and their use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.engine

Headers = dict[str, str]
FIVE = {"amount": "5", "period": "day", "limit": "soft"}
OF_SEARCH = {"label": "team", "value": "search", "budget": FIVE}


@pytest.fixture
async def declared(api: httpx.AsyncClient, session: Headers, operator: Headers) -> Headers:
    """A session of a tenant that has declared the label ``team``."""
    tenant = (await api.get("/v1/me", headers=session)).json()["tenant"]["id"]
    for label in ("team", "status"):
        at = f"/v1/labels/{label}"
        answer = await api.put(at, headers=operator, params={"tenant": tenant})
        assert answer.status_code == 200, answer.text
    return session


async def test_a_labels_value_has_one_budget_which_is_changed_and_removed(
    api: httpx.AsyncClient, declared: Headers, operator: Headers
) -> None:
    at, headers = "/v1/label-budgets", declared
    once = headers | {"idempotency-key": "once"}
    budget = (await api.post(at, headers=once, json=OF_SEARCH)).json()
    assert (budget["label"], budget["value"], budget["budget"]) == ("team", "search", FIVE)
    assert (await api.post(at, headers=once, json=OF_SEARCH)).json() == budget
    another = await api.post(at, headers=headers, json=OF_SEARCH)
    assert (another.status_code, another.json()["code"]) == (409, "label_has_budget")
    other = await api.post(at, headers=headers, json=OF_SEARCH | {"value": "chat"})
    assert other.status_code == 201
    use = (await api.get(f"{at}/{budget['id']}/use", headers=headers)).json()
    assert (use["budget"], use["used"], use["remaining"]) == (FIVE, "0", "5")
    ten = FIVE | {"amount": "10", "limit": "hard"}
    changed = await api.patch(f"{at}/{budget['id']}", headers=headers, json={"budget": ten})
    assert changed.json() == budget | {"budget": ten}
    first = (await api.get(at, headers=headers, params={"limit": 1})).json()
    assert first["items"] == [changed.json()]
    rest = await api.get(at, headers=headers, params={"cursor": first["next_cursor"]})
    assert [each["value"] for each in rest.json()["items"]] == ["chat"]

    tenant = (await api.get("/v1/me", headers=headers)).json()["tenant"]["id"]
    label = {"params": {"tenant": tenant}, "headers": operator}
    bound = await api.delete("/v1/labels/team", **label)
    assert (bound.status_code, bound.json()["code"]) == (409, "label_bounds_calls")
    for each in (budget["id"], other.json()["id"]):
        assert (await api.delete(f"{at}/{each}", headers=headers)).status_code == 204
        for act in (
            api.delete(f"{at}/{each}", headers=headers),
            api.patch(f"{at}/{each}", headers=headers, json={"budget": ten}),
            api.get(f"{at}/{each}/use", headers=headers),
        ):
            answer = await act
            assert (answer.status_code, answer.json()["code"]) == (404, "label_budget_not_found")
    assert (await api.delete("/v1/labels/team", **label)).status_code == 204


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"label": "none"}, "label", "label_not_declared"),
        ({"label": "status"}, "label", "label_not_for_budgets"),
        ({"value": ""}, "value", "invalid_input"),
        ({"budget": FIVE | {"amount": "0"}}, "budget.amount", "invalid_input"),
    ],
)
async def test_budgets_of_labels_that_can_not_be(
    api: httpx.AsyncClient, declared: Headers, change: Mapping[str, Any], field: str, code: str
) -> None:
    answer = await api.post("/v1/label-budgets", headers=declared, json=OF_SEARCH | change)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_an_applications_budget_is_set_shown_and_taken_away(
    api: httpx.AsyncClient, session: Headers
) -> None:
    application = (await api.get("/v1/applications", headers=session)).json()["items"][0]["id"]
    at = f"/v1/applications/{application}"
    changed = await api.patch(at, headers=session, json={"budget": FIVE})
    assert changed.json()["budget"] == FIVE
    use = (await api.get(f"{at}/budget", headers=session)).json()
    assert (use["budget"], use["remaining"]) == (FIVE, "5")
    renamed = await api.patch(at, headers=session, json={"name": "Renamed"})
    assert renamed.json()["budget"] == FIVE
    await api.patch(at, headers=session, json={"budget": None})
    none = await api.get(f"{at}/budget", headers=session)
    assert (none.status_code, none.json()["code"]) == (404, "application_without_budget")
