"""A streamed chat completion through the client, the gateway and a provider on a real port."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from backend.settings import Settings, Upstream
from backend_client import NotFound
from backend_client.types.accounts import ApiKeyCreate
from tests.client.conftest import Maker
from tests.support.flaky import FlakyServer, Reply
from tests.support.waiting import until

pytestmark = pytest.mark.engine

CHUNK = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "theirs"}
SAID = [
    {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]},
    {**CHUNK, "choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]},
    {
        **CHUNK,
        "choices": [],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
    },
]


@pytest.fixture
def provider(flaky: FlakyServer) -> Iterator[FlakyServer]:
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in SAID) + "data: [DONE]\n\n"
    flaky.replies = [Reply(body=body.encode(), headers={"content-type": "text/event-stream"})]
    with flaky:
        yield flaky


@pytest.fixture
def api_settings(api_settings: Settings, provider: FlakyServer) -> Settings:
    """The API's settings, with a provider."""
    upstream = Upstream(
        name="test", base_url=f"{provider.url}/v1", models={"sample-small": "theirs"}
    )
    return api_settings.model_copy(update={"upstreams": [upstream]})


async def test_chunks_come_through_and_are_metered(
    client: Maker, url: str, token: str, worker: None
) -> None:
    person = client(url, token)
    application = (await person.applications.list().all())[0].id
    key = await person.keys.create(ApiKeyCreate(name="One", application_id=application))
    asked = [{"role": "user", "content": "Say hello"}]
    chat = client(url, key.secret).chat
    chunks = [chunk async for chunk in chat.stream(model="sample-small", messages=asked)]
    text = [choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"]]
    assert "".join(part or "" for part in text) == "Hello"

    async def counted() -> bool:
        report = await person.usage.report()
        quantities = {row.meter: int(row.quantity) for row in report.rows}
        return quantities.get("input_tokens") == 7 and quantities.get("output_tokens") == 2

    await until(counted)
    with pytest.raises(NotFound):
        await anext(aiter(chat.stream(model="none", messages=asked)))
