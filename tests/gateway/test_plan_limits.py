"""What a plan entitles to, as OpenAI's SDK meets it: models, and limits of all calls together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import func, select

from backend.catalog.published import apply_catalog, published_catalog
from backend.engines.model import MODEL
from backend.pricing.periods import quarter_hour_of
from backend.storage.database import Database
from backend.storage.tables import key_calls
from backend_client.types.plans import PlanDefinition
from tests.gateway.chat_answers import whole
from tests.gateway.conftest import Join, OpenClient
from tests.support.flaky import FlakyServer, Reply
from tests.support.waiting import until

pytestmark = pytest.mark.engine

ASKED = [{"role": "user", "content": "Say hello"}]
USAGE = {"prompt_tokens": 9, "completion_tokens": 2}
HELLO = Reply(body=whole(usage=USAGE))
LITTLE = {
    "id": "little",
    "name": "Little",
    "models": ["sample-small"],
    "limits": {"requests_per_minute": 3, "tokens_per_minute": 100_000},
    "features": ["batch", "fine-tuning"],
    "quotas": [{"meters": ["requests"], "quantity": 100, "limit": "soft"}],
}

Headers = dict[str, str]
OpenKey = Callable[..., Awaitable[AsyncOpenAI]]


@pytest.fixture
async def owner(database: Database, join: Join, provider: FlakyServer) -> Headers:
    """A session of the owner of a tenant on the plan "little"."""
    provider.replies = [HELLO]
    async with database.begin() as connection:
        catalog = await published_catalog(connection)
        plans = [*catalog.plans, PlanDefinition.model_validate(LITTLE)]
        await apply_catalog(connection, catalog.model_copy(update={"plans": plans}))
    return await join("little")


@pytest.fixture
def open_key(api: httpx.AsyncClient, owner: Headers, open_client: OpenClient) -> OpenKey:
    """Makes the SDK with a key of that tenant's."""

    async def made(**wanted: object) -> AsyncOpenAI:
        applications = await api.get("/v1/applications", headers=owner)
        asked = {"name": "k", "application_id": applications.json()["items"][0]["id"], **wanted}
        answer = await api.post("/v1/keys", headers=owner, json=asked)
        return open_client(str(answer.json()["secret"]))

    return made


async def ask(client: AsyncOpenAI, model: str = "sample-small") -> httpx.Headers:
    answer = await client.chat.completions.with_raw_response.create(
        model=model, messages=ASKED, max_tokens=10
    )
    return answer.headers


async def test_a_model_that_the_plan_leaves_out(
    api: httpx.AsyncClient, owner: Headers, open_key: OpenKey, provider: FlakyServer
) -> None:
    client = await open_key()
    assert [model.id async for model in await client.models.list()] == ["sample-small"]
    with pytest.raises(openai.PermissionDeniedError, match="plan 'Little' does not include") as no:
        await ask(client, MODEL)
    assert (no.value.code, no.value.param) == ("model_not_in_plan", "model")
    assert provider.seen == []
    listed = (await api.get("/v1/catalog/models", headers=owner)).json()["items"]
    assert {model["id"] for model in listed if model["allowed"]} == {"sample-small"}
    # Another plan opens it at once: from one without a price a change may begin with the quarter
    at = quarter_hour_of(datetime.now(UTC)).isoformat()
    change = {"plan": "pay-as-you-go", "at": at}
    assert (await api.put("/v1/subscription", headers=owner, json=change)).status_code == 200

    async def opened() -> bool:
        return MODEL in [model.id async for model in await client.models.list()]

    await until(opened)


async def test_all_keys_of_the_tenant_share_the_plans_limits(
    open_key: OpenKey, provider: FlakyServer
) -> None:
    first, second = await open_key(), await open_key()
    headers = await ask(first)
    assert headers["x-ratelimit-limit-requests"] == "3"
    assert headers["x-ratelimit-limit-tokens"] == "100000"
    assert (await ask(second))["x-ratelimit-remaining-requests"] == "1"
    await ask(first)
    for client in (first, second):
        with pytest.raises(openai.RateLimitError, match="The plan's limit of 3 requests") as raised:
            await ask(client)
        assert raised.value.code == "rate_limit_exceeded"
        assert 1 <= int(raised.value.response.headers["retry-after"]) <= 20
    assert len(provider.seen) == 3


async def test_the_tighter_of_key_and_plan_is_told_and_a_refusal_takes_of_neither(
    open_key: OpenKey, database: Database
) -> None:
    tight = await open_key(limits={"requests_per_minute": 1, "tokens_per_minute": 200_000})
    headers = await ask(tight)
    assert headers["x-ratelimit-limit-requests"] == "1"
    assert headers["x-ratelimit-limit-tokens"] == "100000"
    with pytest.raises(openai.RateLimitError, match="This key's limit"):
        await ask(tight)
    wide = await open_key(limits={"requests_per_minute": 50})
    for left in (1, 0):
        assert int((await ask(wide))["x-ratelimit-remaining-requests"]) == left
    with pytest.raises(openai.RateLimitError, match="The plan's limit"):
        await ask(wide)

    async def none_under_way() -> bool:
        async with database.begin() as connection:
            return not await connection.scalar(select(func.count()).select_from(key_calls))

    await until(none_under_way)


async def test_an_application_and_models_have_limits_beside_the_key_and_the_plan(
    api: httpx.AsyncClient, owner: Headers, open_key: OpenKey, provider: FlakyServer
) -> None:
    application = (await api.get("/v1/applications", headers=owner)).json()["items"][0]["id"]
    at = f"/v1/applications/{application}"
    small = {"models": ["sample-small"], "requests_per_minute": 1}
    limited = {"limits": {"requests_per_minute": 1_000}, "model_limits": [small]}
    changed = await api.patch(at, headers=owner, json=limited)
    assert changed.json()["model_limits"][0]["requests_per_minute"] == 1
    first = await open_key(model_limits=[small | {"models": [MODEL, "sample-small"]}])
    headers = await ask(first)
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-owner-requests"]) == (
        "1",
        "key",
    )
    assert headers["x-ratelimit-owner-tokens"] == "plan"
    with pytest.raises(openai.RateLimitError) as raised:
        await ask(first)
    both = " and ".join(map(repr, sorted([MODEL, "sample-small"])))
    assert f"This key's limit of 1 requests a minute for the models {both} is used" in str(
        raised.value
    )
    assert raised.value.param == "key.model_limits.requests_per_minute"
    assert raised.value.response.headers["x-farebox-limit"] == raised.value.param

    second = await open_key()
    with pytest.raises(openai.RateLimitError) as raised:
        await ask(second)
    assert raised.value.code == "rate_limit_exceeded"
    assert raised.value.param == "application.model_limits.requests_per_minute"
    words = "The application's limit of 1 requests a minute for the model 'sample-small' is used"
    assert words in str(raised.value)
    headers = {"authorization": f"Bearer {second.api_key}"}
    message = {"model": "sample-small", "max_tokens": 9, "messages": ASKED}
    answer = await api.post("/v1/messages", headers=headers, json=message)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (429, "rate_limit_error")
    assert error["param"] == "application.model_limits.requests_per_minute"
    uses = (await api.get(f"{at}/limits", headers=owner)).json()["items"]
    assert [(use["models"], use["most"], use["remaining"]) for use in uses] == [
        (None, 1_000, uses[0]["remaining"]),
        (["sample-small"], 1, 0),
    ]


@pytest.mark.parametrize(
    ("model_limits", "field"),
    [
        ([{"models": ["none"], "requests_per_minute": 1}], "model_limits.0.models"),
        ([{"models": [], "requests_per_minute": 1}], "model_limits.0.models"),
        ([{"models": ["sample-small"] * 2, "requests_per_minute": 1}], "model_limits.0.models"),
        ([{"models": ["sample-small"]}], "model_limits"),
        ([{"models": ["sample-small"], "tokens_per_minute": 9}] * 2, "model_limits"),
    ],
)
async def test_limits_on_models_that_can_not_be(
    api: httpx.AsyncClient, session: Headers, model_limits: list[object], field: str
) -> None:
    application = (await api.get("/v1/applications", headers=session)).json()["items"][0]["id"]
    at, body = f"/v1/applications/{application}", {"model_limits": model_limits}
    wanted = {"name": "k", "application_id": application, **body}
    for answer in (
        await api.patch(at, headers=session, json=body),
        await api.post("/v1/keys", headers=session, json=wanted),
    ):
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_entitlements_tell_what_the_gateway_goes_by(
    api: httpx.AsyncClient, owner: Headers, operator: Headers, open_key: OpenKey, worker: None
) -> None:
    await ask(await open_key())

    async def counted() -> bool:
        answer = await api.get("/v1/entitlements", headers=owner)
        return bool(answer.json()["quotas"][0]["used"] == "1")

    await until(counted)
    entitled = (await api.get("/v1/entitlements", headers=owner)).json()
    assert entitled["models"] == ["sample-small"]
    assert entitled["limits"] == LITTLE["limits"] | {"concurrent_requests": None}
    assert entitled["features"] == ["batch", "fine-tuning"]
    assert entitled["quotas"][0]["remaining"] == "99"
    assert (entitled["state"], entitled["suspended"]) == ("active", False)
    tenant = (await api.get("/v1/me", headers=owner)).json()["tenant"]["id"]
    answer = await api.get(f"/v1/tenants/{tenant}/entitlements", headers=operator)
    assert answer.json() | {"as_of": entitled["as_of"]} == entitled
    assert (await api.get("/v1/tenants/none/entitlements", headers=operator)).status_code == 404
    refused = await api.get(f"/v1/tenants/{tenant}/entitlements", headers=owner)
    assert refused.status_code == 403
