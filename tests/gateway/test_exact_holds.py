"""Many callers at once on two replicas: what is worth ten calls lets ten calls through.

The provider reports what the greatest possible prompt costs, whichever member carries it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from backend.api.app import create_app
from backend.catalog.published import apply_catalog, published_catalog
from backend.gateway.holds.bounds import most_units
from backend.gateway.protocols.chat import CHAT
from backend.metering.tokens import tokenizer_for
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import credit_grants, credit_reservations
from backend_client.types.catalog import Catalog
from backend_client.types.plans import PlanDefinition
from tests.gateway.conftest import Join, patient
from tests.support.flaky import FlakyServer, Reply
from tests.support.waiting import until

pytestmark = pytest.mark.engine

SAID = "prompt " * 500
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Say hello"}]}
CARRIERS: dict[str, dict[str, Any]] = {
    "messages": {"messages": [{"role": "user", "content": SAID}]},
    "response_format": {
        **HELLO,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": {"type": "object", "description": SAID}},
        },
    },
    "functions": {**HELLO, "functions": [{"name": "f", "description": SAID}]},
    "pictures": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": PIXEL}, "caption": SAID},
                ],
            }
        ]
    },
}
CALLS, CALLERS = 10, 64
MODEL = "sample-small"
METERS = ["input_tokens", "output_tokens"]
REFUSALS = {
    "wallet": ("insufficient_credit", None),
    "quota": ("insufficient_quota", None),
    "application": ("application_budget_exhausted", "application.budget"),
    "label": ("label_budget_exhausted", "label.budget"),
}


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    return patient(api_settings)


@pytest.fixture
async def replicas(
    app: FastAPI, api_settings: Settings
) -> AsyncIterator[tuple[httpx.AsyncClient, ...]]:
    """Two processes' worth of the API on one database."""
    other = create_app(api_settings)
    async with other.router.lifespan_context(other):
        clients = tuple(
            httpx.AsyncClient(transport=httpx.ASGITransport(app=replica), base_url="http://api")
            for replica in (app, other)
        )
        yield clients
        for client in clients:
            await client.aclose()


async def most_tokens(body: dict[str, Any], catalog: Catalog) -> int:
    """What is held of a call with this body."""
    model = next(model for model in catalog.models if model.id == MODEL)
    asked = CHAT.read(orjson.dumps(body))
    tokenizer = tokenizer_for(model.tokenizer, model="their-own-name")
    most = most_units(model, asked, await tokenizer.count_chat(asked.messages))
    return most.prompt_tokens + most.output_tokens


def terms(kind: str, tokens: int) -> dict[str, Any]:
    """A plan's terms: so many tokens from the wallet, or within a quota; a token costs 1."""
    if kind == "quota":
        return {"quotas": [{"meters": METERS, "quantity": tokens, "limit": "hard"}]}
    price = {"id": "tokens", "name": "Tokens", "kind": "per_unit", "meters": METERS}
    charges = [{**price, "unit_size": 1, "price": "1"}]
    if kind != "wallet":
        return {"charges": charges}
    return {
        "prepaid": True,
        "charges": charges,
        # What comes once comes whole, on whichever day of the month
        "grants": [{"id": "once", "name": "Once", "amount": str(tokens), "recurs": False}],
    }


async def test_all_keys_of_an_application_share_its_limit_across_replicas(
    replicas: tuple[httpx.AsyncClient, ...], join: Join, provider: FlakyServer
) -> None:
    answer = {"choices": [{"index": 0, "message": {"content": "hi"}}], "usage": {}}
    provider.replies = [Reply(body=json.dumps(answer).encode(), stalls=0)]
    owner = await join("pay-as-you-go")
    api = replicas[0]
    application = (await api.get("/v1/applications", headers=owner)).json()["items"][0]["id"]
    limits = {"limits": {"concurrent_requests": CALLS}}
    at = f"/v1/applications/{application}"
    assert (await api.patch(at, headers=owner, json=limits)).status_code == 200
    wanted = {"name": "k", "application_id": application}
    answers = [await api.post("/v1/keys", headers=owner, json=wanted) for _ in range(3)]
    keys = [{"authorization": f"Bearer {each.json()['secret']}"} for each in answers]
    body = {"model": MODEL, "max_tokens": 10, **HELLO}
    statuses: list[int] = []

    async def call(number: int) -> None:
        client = replicas[number % len(replicas)]
        route, headers = "/v1/chat/completions", keys[number % len(keys)]
        answer = await client.post(route, headers=headers, json=body, timeout=120)
        statuses.append(answer.status_code)

    async def all_others_are_refused() -> bool:
        return statuses.count(429) == CALLERS - CALLS

    calling = asyncio.gather(*(call(number) for number in range(CALLERS)))
    await until(all_others_are_refused)
    left = (await api.get(f"{at}/limits", headers=owner)).json()["items"]
    assert [(use["limit"], use["most"], use["remaining"]) for use in left] == [
        ("concurrent_requests", CALLS, 0)
    ]
    provider.go_on()
    await calling
    assert (statuses.count(200), len(provider.seen)) == (CALLS, CALLS)


async def bound(
    api: httpx.AsyncClient,
    owner: dict[str, str],
    operator: dict[str, str],
    kind: str,
    amount: int,
) -> None:
    """Give the application, or a label's value, a hard budget."""
    budget = {"amount": str(amount), "period": "month"}
    if kind == "application":
        application = (await api.get("/v1/applications", headers=owner)).json()["items"][0]["id"]
        at = f"/v1/applications/{application}"
        answer = await api.patch(at, headers=owner, json={"budget": budget})
        assert answer.json()["budget"]["amount"] == str(amount)
    elif kind == "label":
        params = {"tenant": "ten"}
        answer = await api.put("/v1/labels/team", headers=operator, params=params)
        assert answer.status_code == 200, answer.text
        wanted = {"label": "team", "value": "search", "budget": budget}
        answer = await api.post("/v1/label-budgets", headers=owner, json=wanted)
        assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("kind", "carrier"),
    [
        *(("wallet", name) for name in CARRIERS),
        ("quota", "functions"),
        ("application", "messages"),
        ("label", "messages"),
    ],
)
async def test_what_is_worth_ten_calls_lets_ten_through(
    replicas: tuple[httpx.AsyncClient, ...],
    database: Database,
    join: Join,
    operator: dict[str, str],
    provider: FlakyServer,
    kind: str,
    carrier: str,
) -> None:
    body = {"model": MODEL, "max_tokens": 10, **CARRIERS[carrier]}
    async with database.begin() as connection:
        catalog = await published_catalog(connection)
        tokens = await most_tokens(body, catalog)
        plan = {"id": "ten", "name": "Ten", "currency": "USD", **terms(kind, CALLS * tokens)}
        plans = [*catalog.plans, PlanDefinition.model_validate(plan)]
        await apply_catalog(connection, catalog.model_copy(update={"plans": plans}))
    usage = {"prompt_tokens": tokens - 10, "completion_tokens": 10}
    answer = {"choices": [{"index": 0, "message": {"content": "hi"}}], "usage": usage}
    provider.replies = [Reply(body=json.dumps(answer).encode())]
    owner = await join("ten")
    applications = await replicas[0].get("/v1/applications", headers=owner)
    wanted = {"name": "k", "application_id": applications.json()["items"][0]["id"]}
    key = (await replicas[0].post("/v1/keys", headers=owner, json=wanted)).json()["secret"]
    headers = {"authorization": f"Bearer {key}", "x-farebox-labels": "team=search"}
    await bound(replicas[0], owner, operator, kind, CALLS * tokens)
    codes: set[tuple[str, str | None]] = set()

    async def call(number: int) -> int:
        client = replicas[number % len(replicas)]
        answer = await client.post("/v1/chat/completions", headers=headers, json=body, timeout=120)
        if "error" in answer.json():
            error = answer.json()["error"]
            codes.add((error["code"], error["param"]))
        return answer.status_code

    statuses = await asyncio.gather(*(call(number) for number in range(CALLERS)))
    refused = 402 if kind == "wallet" else 429
    assert codes == {REFUSALS[kind]}
    assert (statuses.count(200), statuses.count(refused)) == (CALLS, CALLERS - CALLS)
    assert len(provider.seen) == CALLS
    if kind == "label":  # who is not held by it goes on
        headers["x-farebox-labels"] = "team=other"
        assert await call(0) == 200

    async def settled() -> bool:
        async with database.begin() as connection:
            open_holds = select(func.count()).where(credit_reservations.c.state == "open")
            return not await connection.scalar(open_holds)

    await until(settled)
    async with database.begin() as connection:
        left = await connection.scalar(
            select(func.sum(credit_grants.c.available + credit_grants.c.reserved))
        )
        assert not left
        assert not await connection.scalar(select(func.sum(credit_reservations.c.uncovered)))
