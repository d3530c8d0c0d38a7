"""Budgets of labels' values and of applications, by the API: what they may be, and their use."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.principal import Permission, Principal
from backend.budgets.labels import create_label_budget
from backend.metering.counting.labels import withdraw_label
from backend.metering.errors import LabelBoundsCalls, LabelNotDeclared
from backend.storage.database import Database
from backend_client.types.accounts import Role
from backend_client.types.limits import LabelBudgetCreate
from tests.support.waiting import until

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


@pytest.mark.parametrize("made_first", [True, False])
async def test_a_label_is_not_withdrawn_while_a_budget_of_it_is_made(
    api: httpx.AsyncClient, database: Database, declared: Headers, made_first: bool
) -> None:
    me = (await api.get("/v1/me", headers=declared)).json()
    user, tenant = me["user_id"], me["tenant"]["id"]
    owner = Principal("user", user, tenant, frozenset(Permission), Role.OWNER)
    wanted = LabelBudgetCreate.model_validate(OF_SEARCH)

    async def make(connection: AsyncConnection) -> None:
        await create_label_budget(connection, owner, wanted, closed=())

    async def withdraw(connection: AsyncConnection) -> None:
        await withdraw_label(connection, tenant, "team")

    first, second = (make, withdraw) if made_first else (withdraw, make)

    async def go_second() -> None:
        async with database.begin() as connection:
            await second(connection)

    async with database.begin() as connection:
        await first(connection)
        going = asyncio.create_task(go_second())

        async def waits() -> bool:
            async with database.begin() as watching:
                return bool(await watching.scalar(text(_WAITING)))

        await until(waits)
    with pytest.raises(LabelBoundsCalls if made_first else LabelNotDeclared):
        await going


_WAITING = """SELECT count(*) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()"""


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


async def test_the_operator_sets_budgets_of_a_tenants_labels_and_reaches_no_other_tenants(
    api: httpx.AsyncClient, declared: Headers, operator: Headers
) -> None:
    tenant = (await api.get("/v1/me", headers=declared)).json()["tenant"]["id"]
    other = await api.post("/v1/tenants", headers=operator, json={"slug": "other", "name": "O"})
    at, elsewhere = (f"/v1/tenants/{each}/label-budgets" for each in (tenant, other.json()["id"]))
    once = operator | {"idempotency-key": "once"}
    budget = (await api.post(at, headers=once, json=OF_SEARCH)).json()
    assert (await api.post(at, headers=once, json=OF_SEARCH)).json() == budget
    own = (await api.get("/v1/label-budgets", headers=declared)).json()["items"]
    assert own == (await api.get(at, headers=operator)).json()["items"] == [budget]
    ten = {"budget": FIVE | {"amount": "10"}}
    changed = (await api.patch(f"{at}/{budget['id']}", headers=operator, json=ten)).json()
    assert changed == budget | ten
    use = (await api.get(f"{at}/{budget['id']}/use", headers=operator)).json()
    assert (use["budget"], use["remaining"]) == (ten["budget"], "10")

    assert (await api.get(elsewhere, headers=operator)).json()["items"] == []
    foreign = f"{elsewhere}/{budget['id']}"
    for act in (
        api.patch(foreign, headers=operator, json=ten),
        api.delete(foreign, headers=operator),
        api.get(f"{foreign}/use", headers=operator),
    ):
        assert (await act).status_code == 404
    assert (await api.delete(f"{at}/{budget['id']}", headers=operator)).status_code == 204
    entries = (await api.get("/v1/audit", headers=declared)).json()["items"]
    acts = {entry["action"]: entry["actor_kind"] for entry in entries}
    assert {acts[f"label_budget.{act}"] for act in ("create", "change", "delete")} == {"operator"}
