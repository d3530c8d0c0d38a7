"""Calls that are left or that fail at an odd moment: each has its event, and holds nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI

from backend.gateway.call import Call
from backend.gateway.gateway import Gateway
from backend.gateway.incoming import Incoming
from backend.gateway.protocols.chat import CHAT
from tests.gateway.chat_answers import DONE, said, streamed
from tests.gateway.conftest import MakeKey, Metered
from tests.support.flaky import FlakyServer
from tests.support.waiting import until

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]


@pytest.fixture
async def gateway(app: FastAPI) -> Gateway:
    gateway: Gateway = app.state.services.gateway
    return gateway


async def begun(app: FastAPI, gateway: Gateway, key: str, *, stream: bool) -> Call:
    caller = await app.state.services.authenticator.authenticate(key)
    asked: dict[str, Any] = {"model": "sample-small", "stream": stream}
    asked["messages"] = [{"role": "user", "content": "Say hello"}]
    return await gateway.begin(caller, CHAT, json.dumps(asked).encode(), {})


async def test_a_stream_that_is_left_at_the_moment_of_its_begin_is_recorded_and_closed(
    app: FastAPI,
    gateway: Gateway,
    make_key: MakeKey,
    provider: FlakyServer,
    metered: Counted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider.replies = [streamed(said("Hello"), said(" there", "stop"), DONE)]
    call = await begun(app, gateway, await make_key(), stream=True)
    attempts = gateway._attempts
    opened = attempts.open

    async def left_when_opened(call: Call) -> Incoming:
        incoming = await opened(call)
        opening.cancel()
        return incoming

    monkeypatch.setattr(attempts, "open", left_when_opened)
    opening = asyncio.create_task(gateway.open_stream(call))
    with pytest.raises(asyncio.CancelledError):
        await opening
    (event,) = await metered(1)
    assert event.labels["status"] == "aborted"
    assert event.quantities["input_tokens"] > 0

    async def is_closed() -> bool:
        return call.provider.under_way == 0

    await until(is_closed)


async def test_a_call_that_fails_by_a_fault_of_ours_is_recorded(
    app: FastAPI,
    gateway: Gateway,
    make_key: MakeKey,
    metered: Counted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = await begun(app, gateway, await make_key(), stream=False)

    async def broken(call: Call) -> None:
        raise LookupError("a fault of ours")

    monkeypatch.setattr(gateway._attempts, "ask", broken)
    with pytest.raises(LookupError):
        await gateway.answer(call)
    (event,) = await metered(1)
    assert event.quantities == {"requests": 0}
    assert event.labels["status"] == "failed"
