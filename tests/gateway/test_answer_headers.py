"""What an answer says beside it: what the call costs, and which event it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.gateway.chat_answers import ASKED, DONE, USAGE, USED, said, streamed, whole
from tests.gateway.conftest import Join, Metered, OpenClient
from tests.support.flaky import FlakyServer, Reply

pytestmark = pytest.mark.engine


async def test_a_call_says_what_it_costs_and_where_its_event_is(
    api: httpx.AsyncClient,
    join: Join,
    open_client: OpenClient,
    provider: FlakyServer,
    metered: Callable[[int], Awaitable[list[Metered]]],
) -> None:
    provider.replies = [
        Reply(body=whole(usage=USAGE)),
        streamed(said("Hello"), said(" there", "stop", usage=USAGE), DONE),
    ]
    owner = await join("pay-as-you-go")
    application = (await api.get("/v1/applications", headers=owner)).json()["items"][0]["id"]
    wanted = {"name": "k", "application_id": application}
    secret = (await api.post("/v1/keys", headers=owner, json=wanted)).json()["secret"]
    client = open_client(secret)
    asked: Any = {"model": "sample-small", "messages": ASKED, "user": "u1"}
    answer = await client.chat.completions.with_raw_response.create(**asked)

    models = (await api.get("/v1/catalog/models", headers=owner)).json()["items"]
    (model,) = [model for model in models if model["id"] == "sample-small"]
    costs = [
        Decimal(price["price"]) / price["unit_size"] * USED.get(price["meter"], 0)
        for price in model["prices"]
    ]
    amount, currency = answer.headers["x-farebox-cost"].split()
    assert Decimal(amount) == sum(costs) > 0
    assert currency == "USD"
    assert answer.headers["x-farebox-event"].startswith("req_")
    async with client.chat.completions.with_streaming_response.create(
        **asked, stream=True
    ) as stream:
        lines = [line async for line in stream.iter_lines() if line]
    # A comment, just before the end that clients wait for
    assert lines[-2:] == [f": x-farebox-cost {amount} USD", "data: [DONE]"]
    events = await metered(2)
    assert [event.quantities for event in events] == [USED, USED]
    assert {event.labels["user"] for event in events} == {"u1"}
