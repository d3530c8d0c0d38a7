"""A model with two upstreams: one answer, event and bill a call, whatever the first does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from itertools import cycle
from typing import Any, NamedTuple

import httpx
import openai
import pytest

from backend.gateway import relay
from backend.settings import Settings, Upstream
from tests.gateway.conftest import MakeKey, Metered, OpenClient
from tests.support.provider_double import TEXT, ProviderDouble
from tests.support.waiting import until

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]
USED = {"requests": 1, "input_tokens": 50, "output_tokens": 20}


class Doubles(NamedTuple):
    first: ProviderDouble
    second: ProviderDouble


@pytest.fixture
def doubles() -> Iterator[Doubles]:
    with ProviderDouble() as first, ProviderDouble() as second:
        yield Doubles(first, second)


@pytest.fixture
def api_settings(api_settings: Settings, doubles: Doubles) -> Settings:
    """``sample-small`` at two upstreams, of which the first comes first."""
    upstreams = [
        Upstream(
            name=name,
            base_url=f"{double.url}/v1",
            api_keys=[f"{name}-secret"],
            models={"sample-small": "their-own-name"},
            priority=place,
            stops_when_left=True,
            timeouts={"first_token_seconds": 3 if name == "first" else 60},
        )
        for place, (name, double) in enumerate(zip(Doubles._fields, doubles, strict=True))
    ]
    return api_settings.model_copy(update={"upstreams": upstreams})


def asking(does: str = "", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"do:{does}" if does else "Say hello"}]
    return {"model": "sample-small", "messages": messages, **more}


async def test_failover_under_load_bills_each_call_once_and_loses_none(
    open_client: OpenClient,
    make_key: MakeKey,
    doubles: Doubles,
    metered: Counted,
) -> None:
    at_once = 12
    # As many as are made at a time: a hold that is made twice or left would refuse the next
    client = open_client(await make_key(limits={"concurrent_requests": at_once}))
    doubles.first.turns = cycle(["ok", "500", "drop", "error_first", "ok", "cut_at_once"])

    async def ask(number: int) -> str:
        if number % 2:
            stream = await client.chat.completions.create(**asking(), stream=True)
            return "".join(
                [choice.delta.content or "" async for piece in stream for choice in piece.choices]
            )
        answer = await client.chat.completions.create(**asking())
        return str(answer.choices[0].message.content)

    number = 5 * at_once
    answers: list[str] = []
    for start in range(0, number, at_once):
        answers += await asyncio.gather(*(ask(start + place) for place in range(at_once)))
    assert answers == [TEXT] * number
    events = await metered(number)
    assert [event.quantities for event in events] == [USED] * number
    served = Counter(event.upstream for event in events)
    answered = {name: double.does.count("ok") for name, double in doubles._asdict().items()}
    # What the providers answered in full, and only that, was billed, and to whom it belongs
    assert served == Counter({name: count for name, count in answered.items() if count})
    assert served["second"] > 0
    assert any(event.trace.get("attempts") == "2" for event in events)


async def test_an_answer_and_its_event_name_each_other_and_the_upstream(
    url: str, make_key: MakeKey, doubles: Doubles, metered: Counted, operator: dict[str, str]
) -> None:
    doubles.first.default = "500"
    headers = {"authorization": f"Bearer {await make_key()}", "x-request-id": "mine-1"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as http:
        answer = await http.post(
            "/v1/chat/completions", json=asking(service_tier="priority", seed=1)
        )
        assert answer.status_code == 200
        doubles.second.default = "overloaded"
        failed = await http.post("/v1/chat/completions", json=asking(stream=True))
        scraped = (await http.get("/metrics", headers=operator)).text
    event, failure = await metered(2)
    assert event.trace == {"request_id": "mine-1", "answer_id": "chatcmpl-1", "attempts": "2"}
    assert event.upstream == "second"
    assert answer.headers["x-farebox-dropped"] == "service_tier"
    assert answer.headers["x-request-id"] == "mine-1"
    assert answer.headers["x-farebox-event"].startswith("req_")
    assert failed.status_code == 502
    assert failed.headers["retry-after"] == "9"
    assert failed.headers["x-farebox-event"] != answer.headers["x-farebox-event"]
    assert failure.quantities == {"requests": Decimal(0)}
    attempts = 'farebox_upstream_attempts_total{model="their-own-name",'
    assert attempts + 'outcome="failed",upstream="first"} 2.0' in scraped
    assert attempts + 'outcome="answered",upstream="second"} 1.0' in scraped
    assert "secret" not in scraped


async def test_what_no_retry_mends_is_said(
    open_client: OpenClient, make_key: MakeKey, doubles: Doubles, metered: Counted
) -> None:
    client = open_client(await make_key(), max_retries=2)
    for does in ("401", "403", "404", "quota"):
        with pytest.raises(openai.InternalServerError) as raised:
            await client.chat.completions.create(**asking(does))
        assert raised.value.response.headers["x-should-retry"] == "false"
    assert len(await metered(4)) == 4  # the SDK tried none again


async def test_a_stream_whose_first_word_takes_long_is_kept_alive_and_fails_over(
    url: str,
    make_key: MakeKey,
    doubles: Doubles,
    metered: Counted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "KEEP_ALIVE_SECONDS", 0.1)
    doubles.first.default = "hang"
    headers = {"authorization": f"Bearer {await make_key()}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as http:
        answer = await http.post("/v1/chat/completions", json=asking(stream=True))
        assert answer.text.startswith(": keep-alive\n\n: keep-alive\n\n")
        assert "Hello" in answer.text
        assert answer.text.endswith("data: [DONE]\n\n")
        doubles.second.default = "500"
        failed = await http.post("/v1/chat/completions", json=asking(stream=True))
    assert failed.status_code == 200
    assert failed.text.endswith("}}\n\n")
    assert "upstream_failed" in failed.text
    events = await metered(2)
    assert [event.quantities for event in events] == [USED, {"requests": 0}]
    assert int(events[0].trace["first_token_ms"]) >= 3000


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_who_leaves_before_the_answer_stops_the_provider(
    url: str, make_key: MakeKey, doubles: Doubles, metered: Counted, stream: bool
) -> None:
    doubles.first.default = "500"
    doubles.second.default = "hang"
    headers = {"authorization": f"Bearer {await make_key()}"}

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=600) as http:
            await http.post("/v1/chat/completions", json=asking(stream=stream))

    waiting = asyncio.create_task(ask())

    async def asked() -> bool:
        return len(doubles.second.asked) == 1

    await until(asked)
    waiting.cancel()

    async def left() -> bool:
        return doubles.second.asked[0].left

    await until(left)
    (event,) = await metered(1)
    assert event.labels == {"status": "aborted", "usage_source": "local"}
    assert event.quantities == {"requests": 1, "input_tokens": 9}
