"""A key's budget, as OpenAI's SDK meets it: refused in its shape, changed within a second."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from tests.gateway.chat_answers import whole
from tests.gateway.conftest import Join, OpenClient
from tests.support.flaky import FlakyServer, Reply
from tests.support.waiting import until

pytestmark = pytest.mark.engine

ASKED: Any = [{"role": "user", "content": "Say hello"}]
USAGE = {"prompt_tokens": 9, "completion_tokens": 2}
HELLO = Reply(body=whole(usage=USAGE))


async def ask(client: AsyncOpenAI) -> None:
    await client.chat.completions.create(model="sample-small", messages=ASKED, max_tokens=10)


async def test_a_hard_budget_refuses_what_could_pass_it_until_it_is_raised(
    api: httpx.AsyncClient,
    join: Join,
    open_client: OpenClient,
    provider: FlakyServer,
    worker: None,
) -> None:
    provider.replies = [HELLO]
    owner = await join("pay-as-you-go")
    application = (await api.get("/v1/applications", headers=owner)).json()["items"][0]["id"]
    wanted = {
        "name": "k",
        "application_id": application,
        "scopes": ["inference", "usage:read"],
        "budget": {"amount": "0.0000000001", "period": "month"},
    }
    key = (await api.post("/v1/keys", headers=owner, json=wanted)).json()
    client = open_client(key["secret"])
    with pytest.raises(openai.RateLimitError, match=r"this key's budget of 0\.0000000001 USD a mo"):
        await ask(client)
    with pytest.raises(openai.RateLimitError) as refusal:
        await ask(client)
    assert (refusal.value.code, refusal.value.type) == (
        "key_budget_exhausted",
        "insufficient_quota",
    )
    assert refusal.value.response.headers["x-should-retry"] == "false"
    assert provider.seen == []

    at = f"/v1/keys/{key['id']}"
    await api.patch(at, headers=owner, json={"budget": {"amount": "5", "period": "month"}})

    async def admitted() -> bool:
        try:
            await ask(client)
        except openai.RateLimitError:
            return False
        return True

    await until(admitted)

    async def counted() -> bool:
        return (await api.get(f"{at}/budget", headers=owner)).json()["used"] != "0"

    await until(counted)
    standing = (await api.get(f"{at}/budget", headers=owner)).json()
    usage = (await api.get("/v1/spend", headers=owner)).json()
    assert (standing["currency"], standing["budget"]["amount"]) == ("USD", "5")
    exact = sum(Decimal(line["exact"]) for line in usage["lines"])
    assert Decimal(standing["used"]) == exact
    await api.patch(at, headers=owner, json={"budget": None})
    none = await api.get(f"{at}/budget", headers=owner)
    assert (none.status_code, none.json()["code"]) == (404, "key_without_budget")
