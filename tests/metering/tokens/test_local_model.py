"""The local model's own tokenizer and template, against the usage that it reports."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from backend.engines.model import MODEL
from backend.gateway.upstreams.provider import Provider
from backend.metering.tokens import tokenizer_for
from backend.settings import Upstream

pytestmark = pytest.mark.engine

CHATS: list[list[dict[str, Any]]] = [
    [{"role": "user", "content": "hi"}],
    [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "What color is the sky, naïvely? 🙂"},
        {"role": "assistant", "content": "Blue."},
        {"role": "user", "content": [{"type": "text", "text": "And grass?"}]},
    ],
]


@pytest.mark.parametrize("messages", CHATS)
async def test_our_count_is_what_the_model_reports(
    local_model: str, messages: list[dict[str, Any]]
) -> None:
    upstream = Upstream(name="local", base_url=f"{local_model}/v1", models={MODEL: MODEL})
    provider = Provider(upstream)
    tokenizer = tokenizer_for("upstream", model=MODEL, remote=provider)
    try:
        counted = await tokenizer.count_chat(messages)
        said = "naïvely? 🙂 And grass"
        pieces = await tokenizer.split_text(said)
        assert pieces is not None
        assert "".join(pieces) == said
        assert len(pieces) == await tokenizer.count_text(said)
    finally:
        await provider.close()
    async with httpx.AsyncClient(base_url=local_model, timeout=60) as client:
        answer = await client.post(
            "/v1/chat/completions", json={"model": MODEL, "messages": messages, "max_tokens": 1}
        )
    assert counted.total == answer.json()["usage"]["prompt_tokens"]
    assert counted.exact
    assert counted.overhead > 0
