"""A provider that ends its stream at every byte: one answer, one event and the right bill each."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest

from backend.settings import Settings, Upstream
from tests.gateway.conftest import MakeKey, Metered
from tests.support.provider_double import Exchange, ProviderDouble

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]
SAID = ("Hel", "lo é")
CHUNKS = (
    {"choices": [{"index": 0, "delta": {"content": SAID[0]}}]},
    {"choices": [{"index": 0, "delta": {"content": SAID[1]}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 20}},
)
EVENTS = [f"data: {json.dumps(each, ensure_ascii=False)}\n\n".encode() for each in CHUNKS]
EVENTS.append(b"data: [DONE]\n\n")
STREAM = b"".join(EVENTS)
ASKED = {
    "model": "sample-small",
    "messages": [{"role": "user", "content": "Say hello"}],
    "stream": True,
}
AT_ONCE = 16


class Cutting(ProviderDouble):
    """Ends each stream after as many bytes as its question says."""

    async def admits(self, exchange: Exchange, body: bytes) -> bool:
        await exchange.head()
        await exchange.send(STREAM[: json.loads(body)["seed"]])
        return False


@pytest.fixture
def cutting() -> Iterator[Cutting]:
    with Cutting() as double:
        yield double


@pytest.fixture
def api_settings(api_settings: Settings, cutting: Cutting) -> Settings:
    upstream = Upstream(name="cutting", base_url=f"{cutting.url}/v1", models=["sample-small"])
    return api_settings.model_copy(update={"upstreams": [upstream]})


async def test_a_stream_that_ends_at_any_byte_is_one_answer_and_bills_what_came(
    url: str, make_key: MakeKey, cutting: Cutting, metered: Counted
) -> None:
    headers = {"authorization": f"Bearer {await make_key()}"}
    turn = asyncio.Semaphore(AT_ONCE)
    heard: dict[int, tuple[str, str]] = {}

    async def ask(place: int) -> None:
        async with turn:
            answer = await http.post(
                "/v1/chat/completions", json=ASKED | {"seed": place}, headers=headers
            )
        event = answer.headers["x-farebox-event"]
        heard[place] = event, answer.text

    async with httpx.AsyncClient(base_url=url, timeout=120) as http:
        await asyncio.gather(*(ask(place) for place in range(len(STREAM) + 1)))
    assert len(cutting.asked) == len(STREAM) + 1
    # What has come whole counts, though the line ends that follow it do not come
    ends = [sum(map(len, EVENTS[: place + 1])) - 2 for place in range(3)]
    for place, (_, text) in sorted(heard.items()):
        is_whole = place >= ends[1]
        assert ('"finish_reason":"stop"' in text.replace(": ", ":")) == is_whole, (place, text)
        assert (SAID[0] in text) == (place >= ends[0]), (place, text)
        assert is_whole or "error" in text, (place, text)
        # A line that is cut within its JSON is told too, though the answer was whole before it
        is_between = any(place - end in (0, 1, 2) for end in ends[1:]) or place == len(STREAM)
        assert not (is_whole and is_between and "error" in text), (place, text)
        assert text.count("[DONE]") <= 1
    events = await metered(len(STREAM) + 1)
    assert len(events) == len({event for event, _ in heard.values()}) == len(STREAM) + 1
    bills = Counter(
        "nothing"
        if event.quantities["requests"] == 0
        else f"by the {event.labels['usage_source']}'s count"
        for event in events
    )
    assert bills == {
        "nothing": ends[0],
        "by the local's count": ends[2] - ends[0],
        "by the provider's count": len(STREAM) + 1 - ends[2],
    }
    for event in events:
        if event.quantities["requests"] == 0:
            assert event.quantities == {"requests": 0}
        elif event.labels["usage_source"] == "provider":
            assert event.quantities == {"requests": 1, "input_tokens": 50, "output_tokens": 20}
        else:
            assert 0 < event.quantities["output_tokens"] < 20
