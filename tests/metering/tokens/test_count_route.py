"""``POST /v1/tokens/count`` through the API, and the count that an event keeps."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.metering.tokens.test_openai_chat import TOOLS, WEATHER

pytestmark = pytest.mark.engine

Headers = dict[str, str]


async def count(api: httpx.AsyncClient, headers: Headers, **body: Any) -> httpx.Response:
    return await api.post(
        "/v1/tokens/count", headers=headers, json={"model": "sample-small", **body}
    )


async def test_a_chat_is_counted_with_its_tools(api: httpx.AsyncClient, session: Headers) -> None:
    # A request's other members are left aside, so that it can be sent as it is.
    answer = await count(api, session, messages=WEATHER, tools=TOOLS, temperature=0, stream=True)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "model": "sample-small",
        "tokenizer": "tiktoken:o200k_base",
        "tokens": 101,
        "breakdown": {"text": 24, "images": 0, "tools": 68, "overhead": 9},
        "exact": True,
        "notes": [],
        "pieces": None,
    }


async def test_a_text_is_counted_without_a_chats_overhead(
    api: httpx.AsyncClient, session: Headers
) -> None:
    answer = await count(api, session, text="hello world", pieces=True)
    assert (answer.json()["tokens"], answer.json()["breakdown"]["overhead"]) == (2, 0)
    assert answer.json()["pieces"] == ["hello", " world"]
    refused = await count(api, session, messages=WEATHER, pieces=True)
    assert refused.status_code == 422


async def test_a_provider_that_is_away_is_stood_in_for(
    api: httpx.AsyncClient, session: Headers
) -> None:
    answer = await count(api, session, model="smollm2-135m-instruct", messages=WEATHER)
    assert answer.json()["tokenizer"] == "upstream"
    assert answer.json()["exact"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"messages": WEATHER, "text": "both"}, "body"),
        ({"messages": []}, "messages"),
        ({"messages": ["hello"]}, "messages.0"),
        ({"text": "hello", "tools": TOOLS}, "body"),
        ({"text": 5}, "text"),
    ],
)
async def test_a_wrong_body_is_told_by_its_field(
    api: httpx.AsyncClient, session: Headers, body: dict[str, Any], field: str
) -> None:
    answer = await count(api, session, **body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_a_model_that_is_not_the_callers_is_not_counted_for(
    api: httpx.AsyncClient, session: Headers
) -> None:
    application = (await api.get("/v1/applications", headers=session)).json()["items"][0]["id"]
    limits: list[dict[str, Any]] = [
        {"scopes": ["inference"], "models": ["sample-large"]},
        {"scopes": ["usage:read"]},
    ]
    statuses = []
    for limit in limits:
        answer = await api.post(
            "/v1/keys",
            headers=session,
            json={"name": "limited", "application_id": application, **limit},
        )
        key = {"authorization": f"Bearer {answer.json()['secret']}"}
        statuses.append((await count(api, key, text="hello")).status_code)
    unknown = await count(api, session, model="none", text="hello")
    assert [*statuses, unknown.status_code] == [404, 403, 404]
    assert (await api.post("/v1/tokens/count", json={})).status_code == 401


async def test_a_catalog_whose_tokenizer_there_is_not_is_refused(
    api: httpx.AsyncClient, operator: Headers
) -> None:
    model = {
        "id": "m",
        "name": "M",
        "context_window": 1,
        "max_output_tokens": 1,
        "tokenizer": "sentencepiece:m",
    }
    plan = {"id": "p", "name": "P"}
    catalog = {"version": 1, "default_plan": "p", "models": [model], "plans": [plan]}
    answer = await api.put("/v1/catalog", headers=operator, json=catalog)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == "models.0.tokenizer"
