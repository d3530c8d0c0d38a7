"""Where each kind of upstream is called, and by which headers."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from backend.gateway.upstreams.addresses import address, headers, speaks
from backend.settings import Upstream

pytestmark = pytest.mark.fast


def upstream(**given: Any) -> Upstream:
    return Upstream(**{"name": "u", "base_url": "https://x.example/v1", "models": ["m"], **given})


@pytest.mark.parametrize(
    ("given", "protocol", "path", "at", "key"),
    [
        (
            {"base_url": "https://api.openai.com/v1/"},
            "chat",
            "chat/completions",
            "https://api.openai.com/v1/chat/completions",
            {"authorization": "Bearer k"},
        ),
        (
            {"kind": "anthropic", "base_url": "https://api.anthropic.com/v1"},
            "messages",
            "messages",
            "https://api.anthropic.com/v1/messages",
            {"x-api-key": "k", "anthropic-version": "2023-06-01"},
        ),
        (
            {
                "kind": "azure",
                "base_url": "https://mine.openai.azure.com",
                "query": {"api-version": "2024-10-21"},
            },
            "chat",
            "chat/completions",
            "https://mine.openai.azure.com/openai/deployments/own%2Fname/chat/completions"
            "?api-version=2024-10-21",
            {"api-key": "k"},
        ),
        (
            {
                "kind": "bedrock",
                "base_url": "https://bedrock-runtime.us-west-2.amazonaws.com",
            },
            "chat",
            "chat/completions",
            "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1/chat/completions",
            {"authorization": "Bearer k"},
        ),
        (
            {
                "paths": {"chat": "/talk/{model}"},
                "key_header": "X-Their-Key",
                "headers": {"A": "b"},
            },
            "chat",
            "chat/completions",
            "https://x.example/v1/talk/own%2Fname",
            {"x-their-key": "k", "a": "b"},
        ),
    ],
    ids=["openai", "anthropic", "azure", "bedrock", "own paths"],
)
def test_a_call_is_sent_to_the_kinds_address_with_its_key(
    given: dict[str, Any], protocol: str, path: str, at: str, key: dict[str, str]
) -> None:
    terms = upstream(**given)
    assert address(terms, protocol, path, "own/name") == at
    assert headers(terms, "k") == {"content-type": "application/json", **key}
    assert "k" not in headers(terms, None).values()


def test_each_kind_speaks_its_protocols_unless_others_are_set() -> None:
    assert speaks(upstream(), "chat")
    assert speaks(upstream(kind="azure"), "embeddings")
    assert not speaks(upstream(), "messages")
    assert speaks(upstream(kind="anthropic"), "messages")
    assert not speaks(upstream(kind="anthropic"), "chat")
    assert speaks(upstream(speaks=["chat", "messages"]), "messages")
    assert not speaks(upstream(speaks=["chat"]), "embeddings")


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "ftp://x"},
        {"base_url": "https://user:secret@x/v1"},
        {"base_url": "https://x/v1?key=secret"},
        {"base_url": "x"},
        {"kind": "other"},
        {"priority": -1},
        {"weight": 0},
        {"max_concurrency": 0},
        {"timeouts": {"idle_seconds": 0}},
        {"timeouts": {"idle": 1}},
        {"headers": {"a b": "c"}},
        {"headers": {"Content-Length": "5"}},
        {"headers": {"a": "b\r\nc: d"}},
        {"key_header": "host"},
        {"paths": {"chat": "{key}"}},
        {"paths": {"chat": "../other"}},
        {"rules": {"output_limit": "n_predict"}},
    ],
    ids=str,
)
def test_what_no_upstream_can_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        upstream(**wrong)
    assert raised.value.errors()[0]["loc"][0] == next(iter(wrong))


def test_one_timeout_is_short_for_both_of_silence() -> None:
    timeouts = upstream(timeout_seconds=5, timeouts={"idle_seconds": 9}).timeouts
    assert (timeouts.first_token_seconds, timeouts.idle_seconds) == (5, 9)


def test_several_keys_are_used_beside_the_one() -> None:
    keys = upstream(api_key="a", api_keys=["b", "c"]).keys
    assert [key.get_secret_value() for key in keys] == ["a", "b", "c"]
