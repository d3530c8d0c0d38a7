"""Amazon Bedrock's OpenAI-compatible routes, called with signatures and with API keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import openai
import pytest
from pydantic import ValidationError

from backend.settings import Settings, Upstream
from tests.gateway.conftest import MakeKey, Metered, OpenClient
from tests.support.bedrock_double import AccessKey, BedrockDouble
from tests.support.provider_double import TEXT

pytestmark = pytest.mark.engine

Headers = dict[str, str]
Counted = Callable[[int], Awaitable[list[Metered]]]
ASKED: dict[str, Any] = {
    "model": "sample-small",
    "messages": [{"role": "user", "content": "Say hello"}],
}
USED = {"requests": 1, "input_tokens": 50, "output_tokens": 20}
SECRETS = ["wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "another/secret+of-an-access-key"]
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE=="
LASTING, TEMPORARY = f"AKIDEXAMPLE:{SECRETS[0]}", f"ASIAEXAMPLE:{SECRETS[1]}:{TOKEN}"
WRONG = "AKIDEXAMPLE:not-the-secret-of-this-key"
SIGNED = {"region": "us-west-2"}
OWN_NAME = "openai.gpt-oss-120b-1:0"


@pytest.fixture
def bedrock() -> Iterator[BedrockDouble]:
    with BedrockDouble() as double:
        double.account.access_keys["AKIDEXAMPLE"] = AccessKey(SECRETS[0])
        double.account.access_keys["ASIAEXAMPLE"] = AccessKey(SECRETS[1], TOKEN)
        double.account.api_keys.add("bedrock-api-key-example")
        yield double


@pytest.fixture
def keys() -> list[str]:
    return [LASTING]


@pytest.fixture
def paths() -> dict[str, str]:
    return {}


@pytest.fixture
def api_settings(
    api_settings: Settings, bedrock: BedrockDouble, keys: list[str], paths: dict[str, str]
) -> Settings:
    signs = {"aws_signature": SIGNED} if ":" in keys[0] else {}
    upstream = Upstream(
        name="bedrock",
        kind="bedrock",
        base_url=bedrock.url,
        api_keys=keys,
        models={"sample-small": OWN_NAME},
        query={"of": "a b/c"},
        paths=paths,
        **signs,
    )
    return api_settings.model_copy(update={"upstreams": [upstream]})


@pytest.mark.parametrize(
    "keys", [[LASTING], [TEMPORARY], ["bedrock-api-key-example"]], ids=["key", "temporary", "api"]
)
async def test_calls_are_admitted_and_billed_whole_and_streamed(
    open_client: OpenClient,
    make_key: MakeKey,
    bedrock: BedrockDouble,
    keys: list[str],
    metered: Counted,
) -> None:
    client = open_client(await make_key())
    whole = await client.chat.completions.create(**ASKED)
    assert whole.choices[0].message.content == TEXT
    stream = await client.chat.completions.create(**ASKED, stream=True)
    pieces = [choice.delta.content or "" async for piece in stream for choice in piece.choices]
    assert "".join(pieces) == TEXT
    assert bedrock.account.admitted == [keys[0].partition(":")[0]] * 2
    assert bedrock.account.refused == []
    assert [asked.document["model"] for asked in bedrock.asked] == [OWN_NAME] * 2
    for asked in bedrock.asked:
        sent = str(asked.headers) + asked.path
        assert not any(secret in sent for secret in SECRETS)
    assert [event.quantities for event in await metered(2)] == [USED] * 2


@pytest.mark.parametrize("paths", [{"chat": "model/{model}/invoke"}])
async def test_what_is_signed_of_a_models_id_in_the_path_is_what_is_sent(
    open_client: OpenClient, make_key: MakeKey, bedrock: BedrockDouble
) -> None:
    client = open_client(await make_key())
    answer = await client.chat.completions.create(**ASKED)
    assert answer.choices[0].message.content == TEXT
    assert bedrock.account.refused == []
    assert [asked.path for asked in bedrock.asked] == [f"/model/{OWN_NAME}/invoke?of=a%20b%2Fc"]


@pytest.mark.parametrize("keys", [[WRONG, TEMPORARY]])
async def test_of_several_keys_one_that_signs_wrongly_is_passed_over(
    open_client: OpenClient, make_key: MakeKey, bedrock: BedrockDouble, metered: Counted
) -> None:
    client = open_client(await make_key())
    answer = await client.chat.completions.create(**ASKED)
    assert answer.choices[0].message.content == TEXT
    assert bedrock.account.refused == ["InvalidSignatureException"]
    assert bedrock.account.admitted == ["ASIAEXAMPLE"]
    [event] = await metered(1)
    assert (event.quantities, event.trace["attempts"]) == (USED, "2")


@pytest.mark.parametrize("keys", [[WRONG]])
async def test_what_aws_says_of_a_wrong_key_is_not_the_callers_to_read(
    open_client: OpenClient, make_key: MakeKey
) -> None:
    client = open_client(await make_key())
    with pytest.raises(openai.InternalServerError) as failed:
        await client.chat.completions.create(**ASKED)
    assert failed.value.status_code == 502
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert "signature" not in failed.value.response.text.lower()


@pytest.mark.parametrize("keys", [[LASTING, WRONG, TEMPORARY]])
async def test_a_test_says_which_keys_fail_and_shows_none(
    api: httpx.AsyncClient, operator: Headers, bedrock: BedrockDouble
) -> None:
    bedrock.account.access_keys["ASIAEXAMPLE"].ends = datetime.now(UTC) - timedelta(minutes=1)
    answer = await api.post("/v1/upstreams/bedrock/test", headers=operator, json={})
    tested = answer.json()
    outcomes = [(each["went_well"], each["status"]) for each in tested["keys"]]
    assert outcomes == [(True, 200), (False, 403), (False, 403)]
    first, wrong, expired = tested["keys"]
    assert "does not match the signature" in wrong["detail"]
    assert "is expired" in expired["detail"]
    assert first["last_four"] == LASTING[-4:]
    assert (tested["went_well"], tested["detail"]) == (False, wrong["detail"])
    for key in (LASTING, WRONG, TEMPORARY, *SECRETS, TOKEN):
        assert key not in answer.text


async def test_keys_that_can_not_sign_are_refused(
    api: httpx.AsyncClient, operator: Headers, bedrock: BedrockDouble
) -> None:
    at = "/v1/upstreams/own"
    good = {
        "kind": "bedrock",
        "base_url": bedrock.url,
        "models": {"of-own": OWN_NAME},
        "aws_signature": SIGNED,
        "keys": [{"secret": LASTING}],
    }

    async def put(**changes: Any) -> httpx.Response:
        wanted = {**good, **changes}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        return await api.put(at, headers=operator, json=wanted)

    for wrong, field in (
        (
            {"keys": [{"secret": LASTING}, {"secret": "bedrock-api-key-example"}]},
            "keys",
        ),
        ({"key_header": "x-key"}, "aws_signature"),
        ({"aws_signature": {"region": "us west"}}, "aws_signature.region"),
    ):
        refused = await put(**wrong)
        assert refused.status_code == 422, wrong
        assert [error["field"] for error in refused.json()["errors"]] == [field]
        assert SECRETS[0] not in refused.text
    shown = await put()
    assert shown.status_code == 200, shown.text
    assert shown.json()["aws_signature"] == {"region": "us-west-2", "service": "bedrock"}
    assert SECRETS[0] not in shown.text
    assert (await put(keys=None)).status_code == 200
    # A secret that only ever signed is not sent itself
    refused = await put(keys=None, aws_signature=None)
    assert (refused.status_code, refused.json()["code"]) == (422, "upstream_keys_needed")
    assert refused.json()["title"] == "The upstream's keys are needed again"
    with pytest.raises(ValidationError) as wrong_setting:
        Upstream(name="b", base_url=bedrock.url, models=[], api_key="k", aws_signature=SIGNED)
    assert "an access key's id" in str(wrong_setting.value)
