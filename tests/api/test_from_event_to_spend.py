"""A person signs in, makes a key, sends an event, and reads it back as usage and as spend."""

from __future__ import annotations

from decimal import Decimal

import httpx
import pytest

from tests.support.waiting import until

pytestmark = pytest.mark.engine


async def until_usage(api: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
    """The usage report, once the worker has counted anything."""
    answers: list[httpx.Response] = []

    async def counted() -> bool:
        answer = await api.get(
            "/v1/usage", headers=headers, params={"granularity": "total", "group_by": "model"}
        )
        assert answer.status_code == 200, answer.text
        answers.append(answer)
        return bool(answer.json()["rows"])

    await until(counted)
    return answers[-1]


async def test_an_event_becomes_usage_once_and_is_priced(
    api: httpx.AsyncClient, session: dict[str, str], worker: None
) -> None:
    application = (await api.get("/v1/applications", headers=session)).json()["items"][0]["id"]
    answer = await api.post(
        "/v1/keys",
        headers=session,
        json={"name": "ingest", "application_id": application, "scopes": ["events:write"]},
    )
    assert answer.status_code == 201, answer.text
    key = {"authorization": f"Bearer {answer.json()['secret']}"}
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "test",
        "type": "ai.usage",
        "data": {
            "application": application,
            "model": "smollm2-135m-instruct",
            "quantities": {"input_tokens": 1200, "audio_seconds": 0.1},
        },
    }
    wrong = {**event, "id": "2", "data": {**event["data"], "application": "app_unknown"}}
    verdict = await api.post("/v1/events", headers=key, json=[event, event, wrong])
    assert verdict.status_code == 202, verdict.text
    assert verdict.json() | {"errors": []} == {
        "received": 3,
        "accepted": 1,
        "duplicates": 1,
        "conflicts": 0,
        "rejected": 1,
        "errors": [],
    }
    assert verdict.json()["errors"][0]["field"] == "data.application"

    report = await until_usage(api, session)
    assert {row["meter"]: Decimal(row["quantity"]) for row in report.json()["rows"]} == {
        "audio_seconds": Decimal("0.1"),
        "input_tokens": Decimal(1200),
    }
    etag = {"if-none-match": report.headers["etag"]}
    unchanged = await api.get("/v1/usage", headers=session | etag)
    assert unchanged.status_code == 304
    spend = await api.get("/v1/spend", headers=session)
    assert spend.status_code == 200, spend.text
    assert spend.json()["total"] == {"amount": "0.00", "currency": "USD"}


async def test_problems_are_told_as_problem_details(
    api: httpx.AsyncClient, session: dict[str, str]
) -> None:
    missing = await api.get("/v1/keys/key_none", headers=session)
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"
    assert missing.json()["code"] == "key_not_found"
    assert missing.json()["request_id"] == missing.headers["x-request-id"]
    nobody = await api.get("/v1/keys")
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")
    invalid = await api.post("/v1/applications", headers=session, json={"name": ""})
    assert invalid.status_code == 422
    assert invalid.json()["errors"][0]["field"] == "name"
    openai = await api.post("/v1/chat/completions", json={})
    assert openai.status_code == 401
    assert openai.json()["error"]["code"] == "invalid_api_key"


async def test_readiness_tells_of_both_engines(api: httpx.AsyncClient) -> None:
    answer = await api.get("/readyz")
    assert answer.json() == {"status": "ready", "checks": {"postgresql": True, "nats": True}}


async def test_openapi_is_made_from_the_routes(api: httpx.AsyncClient) -> None:
    document = (await api.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert "/v1/usage" in document["paths"]
