"""Catalog, subscription and spend over HTTP, with the credentials that may use them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from backend.catalog.published import load_catalog
from tests.support.paths import CATALOG

pytestmark = pytest.mark.engine

Headers = dict[str, str]


async def test_models_are_listed_with_the_callers_prices(
    api: httpx.AsyncClient, session: Headers
) -> None:
    await api.put("/v1/subscription", headers=session, json=now("pay-as-you-go"))
    answer = await api.get("/v1/catalog/models", headers=session)
    assert answer.status_code == 200, answer.text
    models = {model["id"]: model for model in answer.json()["items"]}
    assert list(models) == ["smollm2-135m-instruct", "sample-large", "sample-small"]
    assert not any(models[name]["available"] for name in ("sample-large", "sample-small"))
    prices = {price["meter"]: price["price"] for price in models["sample-small"]["prices"]}
    assert prices == {
        "requests": "0",
        "input_tokens": "0.15",
        "cached_input_tokens": "0.075",
        "output_tokens": "0.6",
        "reasoning_tokens": "0.6",
    }


async def test_a_models_charges_are_all_that_the_plan_says_of_it_in_the_tenants_currency(
    api: httpx.AsyncClient, session: Headers
) -> None:
    await api.put("/v1/subscription", headers=session, json=now("growth"))
    models = (await api.get("/v1/catalog/models", headers=session)).json()["items"]
    plan = (await api.get("/v1/subscription", headers=session)).json()["plan"]["definition"]
    charges = {charge["id"]: charge for charge in plan["charges"]}
    (small,) = (model for model in models if model["id"] == "sample-small")
    assert small["currency"] == plan["currency"]
    assert {entry["meter"] for entry in small["charges"]} >= {"input_tokens", "output_tokens"}
    for entry in small["charges"]:
        assert entry["charge"] == charges[entry["charge"]["id"]]
        assert entry["charge"]["models"] in (None, ["sample-small"])
    assert any(len(entry["charge"].get("tiers", [])) > 1 for entry in small["charges"])


async def test_an_operators_key_sees_models_without_prices(
    api: httpx.AsyncClient, operator: Headers
) -> None:
    answer = await api.get("/v1/catalog/models", headers=operator)
    assert [model["prices"] for model in answer.json()["items"]] == [[], [], []]


async def test_plans_and_the_plan_in_force(api: httpx.AsyncClient, session: Headers) -> None:
    plans = (await api.get("/v1/plans", headers=session)).json()["items"]
    assert [(plan["definition"]["id"], plan["version"]) for plan in plans] == [
        ("free", 1),
        ("pay-as-you-go", 1),
        ("growth", 1),
        ("growth-yearly", 1),
        ("prepaid", 1),
        ("enterprise", 1),
    ]
    current = (await api.get("/v1/subscription", headers=session)).json()
    assert current["plan"] == plans[0]
    assert (current["end"], current["next_plan"]) == (None, None)

    changed = await api.put("/v1/subscription", headers=session, json={"plan": "pay-as-you-go"})
    assert changed.status_code == 200, changed.text
    starts = datetime.fromisoformat(changed.json()["start"])
    assert starts.minute % 15 == 0
    assert starts >= datetime.now(UTC)
    current = (await api.get("/v1/subscription", headers=session)).json()
    assert current["plan"]["definition"]["id"] == "free"
    assert current["next_plan"] == plans[1]
    assert current["end"] == changed.json()["start"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"plan": "gold"}, 404),
        ({"plan": "free", "at": "2020-01-01T00:00:00Z"}, 422),
        ({"plan": "free", "at": "2090-01-01T00:00:01Z"}, 422),
        ({"plan": "free", "at": "2090-01-01T00:00:00"}, 422),
        ({}, 422),
    ],
)
async def test_a_change_that_can_not_be_is_a_problem(
    api: httpx.AsyncClient, session: Headers, change: dict[str, str], status: int
) -> None:
    answer = await api.put("/v1/subscription", headers=session, json=change)
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )


async def test_spend_has_an_etag(api: httpx.AsyncClient, session: Headers) -> None:
    first = await api.get("/v1/spend", headers=session)
    assert first.status_code == 200, first.text
    assert first.json()["total"] == {"amount": "0.00", "currency": "USD"}
    same = await api.get("/v1/spend", headers=session | {"if-none-match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == first.headers["etag"]
    await api.put("/v1/subscription", headers=session, json=now("pay-as-you-go"))
    after = await api.get("/v1/spend", headers=session | {"if-none-match": first.headers["etag"]})
    assert after.status_code == 200


async def test_the_operator_publishes_exact_prices(
    api: httpx.AsyncClient, session: Headers, operator: Headers
) -> None:
    document = load_catalog(CATALOG).model_dump_json()
    same = await api.put("/v1/catalog", headers=operator, content=document)
    assert same.json() == {
        "plans_published": [],
        "plans_unchanged": [
            "free",
            "pay-as-you-go",
            "growth",
            "growth-yearly",
            "prepaid",
            "enterprise",
        ],
        "models_changed": [],
        "taxes_changed": [],
        "meters_changed": [],
        "plans_withdrawn": [],
        "advice": [],
    }
    # As a bare JSON number, with more digits than binary floating point has
    exact = document.replace('"price":"0.15"', '"price":12345678901.123456789012')
    assert exact != document
    changed = await api.put("/v1/catalog", headers=operator, content=exact)
    assert changed.json()["plans_published"] == ["pay-as-you-go"]
    present = await api.get("/v1/catalog", headers=operator)
    again = await api.put("/v1/catalog", headers=operator, content=present.content)
    assert (again.status_code, again.json()["plans_published"]) == (200, [])
    plans = (await api.get("/v1/plans", headers=session)).json()["items"]
    charges = {charge["id"]: charge for charge in plans[1]["definition"]["charges"]}
    assert Decimal(charges["small-input"]["price"]) == Decimal("12345678901.123456789012")

    wrong = await api.put(
        "/v1/catalog", headers=operator, content=document.replace('"0.15"', '"-1"')
    )
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["field"].endswith(".price")
    assert (await api.put("/v1/catalog", headers=operator, content=b"{")).status_code == 400


async def test_only_who_may_can_change_things(api: httpx.AsyncClient, session: Headers) -> None:
    application = (await api.get("/v1/applications", headers=session)).json()["items"][0]["id"]
    answer = await api.post(
        "/v1/keys",
        headers=session,
        json={"name": "inference", "application_id": application, "scopes": ["inference"]},
    )
    key = {"authorization": f"Bearer {answer.json()['secret']}"}
    document = load_catalog(CATALOG).model_dump_json()
    for method, path, body in (
        ("GET", "/v1/spend", None),
        ("GET", "/v1/subscription", None),
        ("PUT", "/v1/subscription", '{"plan": "pay-as-you-go"}'),
        ("GET", "/v1/entitlements", None),
        ("GET", "/v1/catalog", None),
        ("PUT", "/v1/catalog", document),
    ):
        answer = await api.request(method, path, headers=key, content=body)
        assert answer.status_code == 403, path
        assert (await api.request(method, path, content=body)).status_code == 401, path
    for path in ("/v1/plans", "/v1/catalog/models"):
        assert (await api.get(path, headers=key)).status_code == 200
        assert (await api.get(path)).status_code == 401


async def test_the_catalogs_body_is_described(api: httpx.AsyncClient) -> None:
    paths: dict[str, Any] = (await api.get("/openapi.json")).json()["paths"]
    body = paths["/v1/catalog"]["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {
        "version",
        "default_plan",
        "models",
        "plans",
        "taxes",
        "meters",
    }
    assert "$ref" not in str(body)


def now(plan: str) -> dict[str, str]:
    """A change from the free plan that takes effect with the present quarter hour."""
    moment = datetime.now(UTC)
    quarter = moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)
    return {"plan": plan, "at": quarter.isoformat()}
