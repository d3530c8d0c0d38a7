"""What the gateway refuses, as OpenAI's SDK raises it: status, type, code and parameter."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI
from openai import AsyncOpenAI

from backend.api.app import create_app
from backend.engines.model import MODEL
from backend.settings import Settings
from tests.gateway.chat_answers import whole
from tests.gateway.conftest import MakeKey, OpenClient
from tests.support.flaky import FlakyServer, Reply
from tests.support.waiting import a_second_after, until

pytestmark = pytest.mark.engine

ASKED = [{"role": "user", "content": "Hello"}]


def shape(error: openai.APIStatusError) -> tuple[int, str | None, str | None, str | None]:
    """Status, type, code and parameter."""
    return error.status_code, error.type, error.code, error.param


async def test_a_wrong_key(open_client: OpenClient) -> None:
    for key in ("fb_live_wrong", "sk-wrong"):
        with pytest.raises(openai.AuthenticationError) as raised:
            await open_client(key).models.list()
        assert shape(raised.value) == (401, "authentication_error", "invalid_api_key", None)
        assert raised.value.request_id
        assert key not in raised.value.message


async def test_a_query_parameter_that_openai_would_ignore_is_ignored(
    open_client: OpenClient, make_key: MakeKey
) -> None:
    client = open_client(await make_key()).with_options(default_query={"api-version": "2026-01-01"})
    assert [model async for model in client.models.list()]


async def test_a_key_without_the_scope(open_client: OpenClient, make_key: MakeKey) -> None:
    client = open_client(await make_key(scopes=["usage:read"]))
    with pytest.raises(openai.PermissionDeniedError) as raised:
        await client.chat.completions.create(model=MODEL, messages=ASKED)
    assert shape(raised.value) == (403, "permission_error", "permission_missing", None)
    assert "inference" in raised.value.message


async def test_an_unknown_model_and_one_that_is_not_the_keys(
    open_client: OpenClient, make_key: MakeKey
) -> None:
    client = open_client(await make_key(models=["sample-small"]))
    for model in ("gpt-none", MODEL):
        with pytest.raises(openai.NotFoundError) as raised:
            await client.chat.completions.create(model=model, messages=ASKED)
        assert shape(raised.value) == (404, "invalid_request_error", "model_not_found", "model")
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve(model)
    assert [model.id async for model in client.models.list()] == ["sample-small"]


@pytest.mark.parametrize(
    ("body", "parameter", "says"),
    [
        (b'{"model": ', None, "not valid JSON"),
        (b"[1]", None, "JSON object"),
        (b"\xff", None, "not valid JSON"),
        (b"", None, "not valid JSON"),
        (b'{"messages": []}', "model", "model"),
        (b'{"model": 5, "messages": []}', "model", "model"),
        (b'{"model": "sample-small"}', "messages", "array"),
        (b'{"model": "sample-small", "messages": []}', "messages", "at least one"),
        (b'{"model": "sample-small", "messages": ["Hi"]}', "messages", "array"),
        (b'{"model": "sample-small", "messages": [{}], "stream": "yes"}', "stream", "true or"),
        (b'{"model": "sample-small", "messages": [{}], "stream_options": 1}', "stream_options", ""),
        (
            b'{"model": "sample-small", "messages": [{}], "x": ' + b"[" * 300 + b"]" * 300 + b"}",
            None,
            "nested",
        ),
    ],
)
async def test_a_body_that_is_no_request(
    client: AsyncOpenAI, body: bytes, parameter: str | None, says: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        await client.post(
            "/chat/completions",
            cast_to=object,
            content=body,
            options={"headers": {"content-type": "application/json"}},
        )
    assert shape(raised.value) == (400, "invalid_request_error", "invalid_request", parameter)
    assert says in raised.value.message


async def test_a_body_that_is_too_large(client: AsyncOpenAI, url: str) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "word " * 30_000}]
        )
    assert shape(raised.value) == (413, "invalid_request_error", "body_too_large", None)


async def test_no_such_route_has_openais_shape(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        await client.get("/chat/nothing", cast_to=object)
    assert raised.value.type == "invalid_request_error"


async def test_a_revoked_key_is_refused_on_another_replica_within_a_second(
    app: FastAPI,
    api: httpx.AsyncClient,
    api_settings: Settings,
    session: Mapping[str, str],
    make_key: MakeKey,
) -> None:
    bearer = {"authorization": f"Bearer {await make_key(name='soon gone')}"}
    keys = (await api.get("/v1/keys", headers=dict(session))).json()["items"]
    (key,) = [item["id"] for item in keys if item["name"] == "soon gone"]
    replica = create_app(api_settings)
    transport = httpx.ASGITransport(replica)
    async with (
        replica.router.lifespan_context(replica),
        httpx.AsyncClient(transport=transport, base_url="http://replica") as other,
    ):
        assert (await other.get("/v1/models", headers=bearer)).status_code == 200
        revoked = await api.delete(f"/v1/keys/{key}", headers=dict(session))
        assert revoked.status_code == 204
        revoked_at = time.monotonic()
        assert (await api.get("/v1/models", headers=bearer)).status_code == 401
        await a_second_after(revoked_at)
        assert (await other.get("/v1/models", headers=bearer)).status_code == 401


async def test_a_hard_quota_is_refused_until_there_is_room_and_not_retried(
    make_key: MakeKey,
    open_client: OpenClient,
    provider: FlakyServer,
    worker: None,
    metered: Callable[[int], Awaitable[list[Any]]],
) -> None:
    # As much as the model's window lets a call use, until the quota is used up
    used = {"prompt_tokens": 125_000, "completion_tokens": 1}
    provider.replies = [Reply(body=whole(usage=used))]
    client = open_client(await make_key(), max_retries=2)
    for _ in range(8):
        await client.chat.completions.create(model="sample-small", messages=ASKED)
    events = await metered(8)
    assert sum(event.quantities["input_tokens"] for event in events) == Decimal(1_000_000)

    refusals: list[openai.RateLimitError] = []

    async def refused() -> bool:
        try:
            await client.chat.completions.create(model="sample-small", messages=ASKED)
        except openai.RateLimitError as error:
            refusals.append(error)
        return refusals != []

    await until(refused)
    [error] = refusals
    assert shape(error) == (429, "insufficient_quota", "insufficient_quota", None)
    assert error.response.headers["x-should-retry"] == "false"
    assert error.response.request.headers["x-stainless-retry-count"] == "0"
    assert "1,000,000" in error.message
