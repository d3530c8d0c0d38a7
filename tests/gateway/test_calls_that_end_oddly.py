"""Calls that are left or that fail at an odd moment: each has its event, and holds nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from structlog.testing import capture_logs

from backend.accounts.errors import TenantNotFound
from backend.gateway.attempts.incoming import Incoming
from backend.gateway.call import Call
from backend.gateway.gateway import Gateway
from backend.gateway.protocols.chat import CHAT
from backend.storage.database import Database
from backend.storage.tables import call_measures, gateway_requests
from tests.gateway.chat_answers import DONE, said, streamed, whole
from tests.gateway.conftest import MakeKey, Metered
from tests.support.flaky import FlakyServer, Reply
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


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_and_its_record_need_no_cost(
    app: FastAPI,
    gateway: Gateway,
    make_key: MakeKey,
    provider: FlakyServer,
    metered: Counted,
    monkeypatch: pytest.MonkeyPatch,
    stream: bool,
) -> None:
    provider.replies = (
        [streamed(said("Hello"), said(" there", "stop"), DONE)] if stream else [Reply(body=whole())]
    )
    call = await begun(app, gateway, await make_key(), stream=stream)

    async def gone(_caller: object) -> None:
        raise TenantNotFound("There is no such tenant any more.")

    monkeypatch.setattr(gateway._admission, "values_of", gone)
    with capture_logs() as logs:
        if stream:
            relay = await gateway.open_stream(call)
            answer = b"".join([part async for part in relay.events])
            relay.abandon()
            assert answer.endswith(b"data: [DONE]\n\n")
        else:
            content, _, cost = await gateway.answer(call)
            assert (b"Hello" in content, cost) == (True, None)
    [failed] = [entry for entry in logs if entry["event"] == "gateway.meanwhile_failed"]
    assert (failed["log_level"], failed["call"]) == ("error", call.event_id)
    (event,) = await metered(1)
    assert event.labels["status"] == "completed"


async def test_a_call_whose_usage_can_not_be_told_is_in_the_log_and_the_measures(
    app: FastAPI,
    gateway: Gateway,
    make_key: MakeKey,
    provider: FlakyServer,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider.replies = [Reply(body=whole())]
    call = await begun(app, gateway, await make_key(), stream=False)

    async def broken(_status: str) -> None:
        raise LookupError("a fault of ours")

    monkeypatch.setattr(call, "event", broken)
    with capture_logs() as logs:
        content, _, cost = await gateway.answer(call)
    assert (b"Hello" in content, cost) == (True, None)
    [failed] = [entry for entry in logs if entry["event"] == "gateway.call_not_measured"]
    assert (failed["log_level"], failed["call"]) == ("error", call.event_id)

    async def shows() -> bool:
        async with database.begin() as connection:
            logged = await connection.scalar(
                select(gateway_requests.c.status).where(gateway_requests.c.id == call.event_id)
            )
            counted = await connection.scalar(select(call_measures.c.calls))
        return (logged, counted) == (200, 1)

    await until(shows)
