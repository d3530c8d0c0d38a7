"""A caller leaves a stream whose model thinks unseen: what was thought is billed all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.settings import Settings, Upstream
from tests.gateway.conftest import MakeKey, Metered
from tests.support.provider_double import ProviderDouble
from tests.support.waiting import until

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]
ReadOn = Callable[[], Awaitable[None]]
THOUGHT = {"requests": 1, "input_tokens": 50, "output_tokens": 2, "reasoning_tokens": 18}
THINKING: dict[str, Any] = {"reasoning_effort": "high"}


@pytest.fixture
def double() -> Iterator[ProviderDouble]:
    with ProviderDouble() as serving:
        yield serving


@pytest.fixture
def stops_when_left() -> bool:
    return False


@pytest.fixture
def api_settings(api_settings: Settings, double: ProviderDouble, stops_when_left: bool) -> Settings:
    """The API's settings: one provider, which thinks."""
    upstream = Upstream(
        name="double",
        base_url=f"{double.url}/v1",
        models={"sample-small": "their-own-name"},
        stops_when_left=stops_when_left,
    )
    return api_settings.model_copy(update={"upstreams": [upstream]})


@pytest.fixture
async def http(url: str, make_key: MakeKey) -> Any:
    headers = {"authorization": f"Bearer {await make_key()}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        yield client


def asking(does: str, **members: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"do:{does}"}]
    return {"model": "sample-small", "messages": messages, "stream": True, **members}


async def hear_and_leave(http: httpx.AsyncClient, does: str, **members: Any) -> None:
    """Leave once something was said."""
    asked = asking(does, **members)
    async with http.stream("POST", "/v1/chat/completions", json=asked) as answer:
        async for line in answer.aiter_lines():
            if "Hello" in line:
                return


async def ask_and_leave(http: httpx.AsyncClient, double: ProviderDouble, **members: Any) -> None:
    """Leave once the provider thinks, and before anything was said."""

    async def ask() -> None:
        asked = asking("thinks", **members)
        async with http.stream("POST", "/v1/chat/completions", json=asked) as answer:
            await answer.aread()

    asking_it = asyncio.create_task(ask())
    await until(double.has_come)
    asking_it.cancel()
    await asyncio.wait({asking_it})


@pytest.fixture
def read_on(app: FastAPI) -> Callable[[], Awaitable[None]]:
    """Waits until the API reads a stream that was left."""
    recorder = app.state.services.gateway._recorder

    async def reads_on() -> bool:
        return bool(recorder._tasks)

    async def wait() -> None:
        await until(reads_on)

    return wait


async def test_a_stream_that_thinks_unseen_is_read_to_its_report(
    http: httpx.AsyncClient, double: ProviderDouble, metered: Counted, read_on: ReadOn
) -> None:
    await hear_and_leave(http, "thinks:Hello", **THINKING)
    await read_on()
    double.release()
    (event,) = await metered(1)
    assert event.quantities == THOUGHT
    assert event.labels == event.labels | {"status": "aborted", "usage_source": "provider"}
    assert not double.asked[0].left


async def test_it_is_read_also_where_nothing_was_said_yet(
    http: httpx.AsyncClient, double: ProviderDouble, metered: Counted, read_on: ReadOn
) -> None:
    await ask_and_leave(http, double, **THINKING)
    await read_on()
    double.release()
    (event,) = await metered(1)
    assert event.quantities == THOUGHT
    assert event.labels["status"] == "aborted"


async def test_a_model_that_was_seen_to_think_unseen_is_known_to(
    http: httpx.AsyncClient, double: ProviderDouble, metered: Counted, read_on: ReadOn
) -> None:
    """Also where the request says nothing of it."""
    first = asyncio.create_task(http.post("/v1/chat/completions", json=asking("thinks:Hello")))
    await until(double.has_come)
    double.release()
    assert "[DONE]" in (await first).text
    double.hold()
    await hear_and_leave(http, "thinks:Hello")
    await read_on()
    double.release()
    events = await metered(2)
    assert [event.quantities for event in events] == [THOUGHT, THOUGHT]
    assert [event.labels["status"] for event in events] == ["completed", "aborted"]


@pytest.mark.parametrize(
    ("stops_when_left", "members"), [(True, THINKING), (False, {"reasoning_effort": "none"})]
)
async def test_any_other_stream_is_broken_off_and_bills_what_was_said(
    http: httpx.AsyncClient, double: ProviderDouble, metered: Counted, members: dict[str, Any]
) -> None:
    await hear_and_leave(http, "thinks:Hello", **members)
    (event,) = await metered(1)
    assert event.quantities["output_tokens"] == 1
    assert event.labels == event.labels | {"status": "aborted", "usage_source": "local"}

    async def is_left() -> bool:
        return double.asked[0].left

    await until(is_left)


async def test_a_process_that_ends_bills_what_was_said_until_then(
    http: httpx.AsyncClient, app: FastAPI, metered: Counted, read_on: ReadOn
) -> None:
    await hear_and_leave(http, "thinks:Hello", **THINKING)
    await read_on()
    await app.state.services.gateway._recorder.close()
    (event,) = await metered(1)
    assert event.quantities["output_tokens"] == 1
    assert event.labels == event.labels | {"status": "aborted", "usage_source": "local"}
