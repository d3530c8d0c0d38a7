"""Claude Code and Codex, unmodified and without a terminal, with Farebox as their provider.

They are some hundred megabytes each, so that they are tested where they are installed:

    npm install --prefix DIR @anthropic-ai/claude-code@2.1.197 @openai/codex@0.171.0
    FAREBOX_AGENTS=DIR python -m pytest tests/gateway/test_coding_agents.py
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from backend.settings import Settings, Upstream
from tests.gateway import chat_answers, message_answers, response_answers
from tests.gateway.conftest import MakeKey, Metered
from tests.support.flaky import FlakyServer

Counted = Callable[[int], Awaitable[list[Metered]]]
MODEL = "sample-small"
AGENTS = os.environ.get("FAREBOX_AGENTS", "")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not AGENTS, reason="FAREBOX_AGENTS names no folder with the agents"),
]

CHAT_STREAM = (
    chat_answers.said("Hello"),
    chat_answers.said(" there", "stop"),
    chat_answers.chunk(choices=[], usage=chat_answers.USAGE),
    chat_answers.DONE,
)
USED_BY_CLAUDE = {"requests": 1, "input_tokens": 21, "output_tokens": 9}
CLAUDE_STREAM = (
    message_answers.event(
        "message_start",
        message=message_answers.message(content=[], usage={"input_tokens": 21, "output_tokens": 1}),
    ),
    message_answers.begin(0, {"type": "text", "text": ""}),
    message_answers.delta(0, type="text_delta", text="Hello there"),
    message_answers.event("content_block_stop", index=0),
    message_answers.event(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": 9},
    ),
    message_answers.event("message_stop"),
)


@pytest.fixture
def speaks() -> str:
    """What the provider speaks."""
    return "chat"


@pytest.fixture
def api_settings(api_settings: Settings, provider: FlakyServer, speaks: str) -> Settings:
    """The API's settings: a provider, and requests as long as agents make them."""
    upstream = Upstream(
        name="test",
        base_url=f"{provider.url}/v1",
        models={MODEL: "their-own-name"},
        speaks=(speaks,),
    )
    return api_settings.model_copy(
        update={"max_body_bytes": 10 * 1024 * 1024, "upstreams": [upstream]}
    )


async def run(program: str, *arguments: str, home: Path, **environment: str) -> str:
    """Run an agent in an empty folder; return what it says."""
    running = await asyncio.create_subprocess_exec(
        Path(AGENTS) / "node_modules" / ".bin" / program,
        *arguments,
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await asyncio.wait_for(running.communicate(), timeout=240)
    assert running.returncode == 0, (said.decode(), complained.decode())
    return said.decode()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("speaks", ["messages", "chat"])
async def test_claude_code(
    url: str,
    make_key: MakeKey,
    provider: FlakyServer,
    metered: Counted,
    tmp_path: Path,
    speaks: str,
) -> None:
    native = speaks == "messages"
    provider.replies = [
        message_answers.streamed(*CLAUDE_STREAM) if native else chat_answers.streamed(*CHAT_STREAM)
    ]
    said = await run(
        "claude",
        *("-p", "Say hello", "--output-format", "json", "--model", MODEL),
        home=tmp_path,
        ANTHROPIC_BASE_URL=url,
        ANTHROPIC_AUTH_TOKEN=await make_key(),
        ANTHROPIC_SMALL_FAST_MODEL=MODEL,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
    )
    assert json.loads(said)["result"] == "Hello there"
    for event in await metered(1):
        assert event.quantities == (USED_BY_CLAUDE if native else chat_answers.USED)
        assert event.labels["status"] == "completed"
    path = "/v1/messages" if native else "/v1/chat/completions"
    assert {request.path for request in provider.seen} == {path}


CONFIGURATION = """
model = "{model}"
model_provider = "farebox"

[model_providers.farebox]
name = "Farebox"
base_url = "{url}/v1"
env_key = "FAREBOX_API_KEY"
wire_api = "responses"
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("speaks", ["responses", "chat"])
async def test_codex(
    url: str,
    make_key: MakeKey,
    provider: FlakyServer,
    metered: Counted,
    tmp_path: Path,
    speaks: str,
) -> None:
    native = speaks == "responses"
    stream = response_answers.STREAM if native else CHAT_STREAM
    provider.replies = [chat_answers.streamed(*stream)]
    (tmp_path / ".codex").mkdir()
    configuration = CONFIGURATION.format(model=MODEL, url=url)
    (tmp_path / ".codex" / "config.toml").write_text(configuration)
    said = await run(
        "codex",
        *("exec", "--skip-git-repo-check", "--sandbox", "read-only", "--json", "Say hello"),
        home=tmp_path,
        FAREBOX_API_KEY=await make_key(),
    )
    assert "Hello there" in said
    events = await metered(1)
    assert {event.labels["status"] for event in events} == {"completed"}
    used = response_answers.RESPONSE_USED if native else chat_answers.USED
    assert all(event.quantities == used for event in events)
    if native:
        assert json.loads(provider.seen[0].body)["store"] is False
