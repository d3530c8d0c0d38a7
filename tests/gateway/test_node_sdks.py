"""OpenAI's and Anthropic's Node SDKs, unmodified, against the gateway: streams and tools too.

Both run in a browser too, in a page of another origin.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.gateway import chat_answers, message_answers, response_answers
from tests.gateway.conftest import MakeKey, Metered
from tests.support.chromium import chromium_arguments, chromium_executable
from tests.support.flaky import FlakyServer, Reply
from tests.support.node import install
from tests.support.serving import served

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]
HERE = Path(__file__).with_name("node")
MODEL = "sample-small"
CALL = {"name": "look_up", "arguments": '{"word": "sea"}'}
TOOL_STREAM = (
    chat_answers.chunk(
        choices=[
            {
                "index": 0,
                "delta": {
                    "role": "assistant",
                    "tool_calls": [{"index": 0, "id": "c", "type": "function", "function": CALL}],
                },
                "finish_reason": "tool_calls",
            }
        ]
    ),
    chat_answers.DONE,
)
VECTORS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.125]}],
    "model": "their-own-name",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}
EXPECTED: dict[str, Any] = {
    "chat": {"said": "Hello there", "tokens": 70},
    "chatStream": {"said": "Hello there", "tokens": 70},
    "chatTool": {"name": "look_up", "arguments": {"word": "sea"}},
    "response": {"said": "Hello there"},
    "responseStream": {"said": "Hello there", "tokens": 70},
    "embedding": [0.25, -0.125],
    "models": True,
    "openaiError": {"kind": "NotFoundError", "code": "model_not_found", "status": 404},
    "message": {"kinds": ["thinking", "text", "tool_use"], "cached": 100},
    "messageStream": {"said": "Hello there", "input": {"word": "sea"}, "end": "tool_use"},
    "count": True,
    "claudeModels": True,
    "claudeError": {"kind": "NotFoundError", "type": "not_found_error", "status": 404},
}


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Node, as the portal is built with, and a folder with the SDKs of the lock file."""
    folder = tmp_path_factory.mktemp("node")
    program = install(HERE, folder)
    return program, folder


async def test_both_sdks_work_as_they_are(
    node: tuple[Path, Path],
    url: str,
    make_key: MakeKey,
    provider: FlakyServer,
    metered: Counted,
) -> None:
    provider.replies = [
        Reply(body=chat_answers.whole(usage=chat_answers.USAGE)),
        chat_answers.streamed(
            chat_answers.said("Hello"),
            chat_answers.said(" there", "stop"),
            chat_answers.chunk(choices=[], usage=chat_answers.USAGE),
            chat_answers.DONE,
        ),
        chat_answers.streamed(*TOOL_STREAM),
        Reply(body=json.dumps(response_answers.RESPONSE).encode()),
        chat_answers.streamed(*response_answers.STREAM),
        Reply(body=json.dumps(VECTORS).encode()),
        message_answers.whole(),
        message_answers.streamed(*message_answers.STREAM),
    ]
    program, folder = node
    running = await asyncio.create_subprocess_exec(
        program,
        folder / "calls.mjs",
        url,
        await make_key(),
        MODEL,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await asyncio.wait_for(running.communicate(), timeout=120)
    assert running.returncode == 0, complained.decode()
    assert json.loads(said) == EXPECTED
    billed = [event.quantities for event in await metered(8)]
    assert billed[0] == billed[1] == chat_answers.USED
    assert billed[3] == billed[4] == response_answers.RESPONSE_USED
    assert billed[5] == {"requests": 1, "input_tokens": 8}
    assert billed[6] == billed[7] == message_answers.USED


IMPORTS = {
    # Browsers know of no bare names
    "@opentelemetry/api": "/@opentelemetry/api/dist/index.mjs",
    # It is CommonJS, and checks the signatures of webhooks alone
    "standardwebhooks": "data:text/javascript,export class Webhook {}",
}


async def shown_page(_request: Request) -> HTMLResponse:
    imports = json.dumps({"imports": IMPORTS})
    return HTMLResponse(f'<script type="importmap">{imports}</script>')


IN_A_PAGE = """async ([url, key, foreign, model]) => {
  const { default: OpenAI } = await import("/openai/index.mjs");
  const { default: Anthropic } = await import("/@anthropic-ai/sdk/index.mjs");
  const messages = [{ role: "user", content: "Say hello" }];
  const options = { maxRetries: 0, dangerouslyAllowBrowser: true };
  const openai = (apiKey) => new OpenAI({ baseURL: `${url}/v1`, apiKey, ...options });
  const failure = async (call) => {
    try {
      return await call;
    } catch (error) {
      return { kind: error.constructor.name, status: error.status, said: error.message };
    }
  };
  const { data, response } = await openai(key).chat.completions
    .create({ model, messages }).withResponse();
  const stream = await openai(key).chat.completions.create({ model, messages, stream: true });
  let streamed = "";
  for await (const chunk of stream) streamed += chunk.choices[0]?.delta?.content ?? "";
  const claude = (apiKey) => new Anthropic({ baseURL: url, apiKey, ...options }).messages;
  const asked = { model, messages, max_tokens: 64 };
  return {
    said: data.choices[0].message.content,
    headers: ["x-request-id", "x-farebox-event", "x-farebox-cost"].map(
      (name) => response.headers.get(name) !== null,
    ),
    streamed,
    claude: (await claude(key).create(asked)).content.map((block) => block.type),
    claudeStream: (await claude(key).stream(asked).finalMessage()).content.map(
      (block) => block.type,
    ),
    claudeCount: (await claude(key).countTokens({ model, messages })).input_tokens > 0,
    models: (await openai(key).models.list()).data.some((each) => each.id === model),
    foreign: await failure(openai(foreign).chat.completions.create({ model, messages })),
    unknown: await failure(openai("fb_live_nobody").chat.completions.create({ model, messages })),
    claudes: await failure(claude(foreign).create(asked)),
  };
}"""


@pytest.mark.browser
async def test_both_work_in_a_page_of_another_origin_that_the_key_allows(
    node: tuple[Path, Path],
    url: str,
    make_key: MakeKey,
    provider: FlakyServer,
    metered: Counted,
) -> None:
    provider.replies = [
        Reply(body=chat_answers.whole(usage=chat_answers.USAGE)),
        chat_answers.streamed(
            chat_answers.said("Hello"),
            chat_answers.said(" there", "stop"),
            chat_answers.chunk(choices=[], usage=chat_answers.USAGE),
            chat_answers.DONE,
        ),
        message_answers.whole(),
        message_answers.streamed(*message_answers.STREAM),
    ]
    files = StaticFiles(directory=node[1] / "node_modules")
    packages = Starlette(routes=[Route("/", shown_page), Mount("/", files)])
    async with served(packages) as site, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_executable(), args=chromium_arguments()
        )
        page = await browser.new_page()
        await page.goto(site)
        keys = [await make_key(origins=[site]), await make_key()]
        shown = await page.evaluate(IN_A_PAGE, [url, *keys, MODEL])
        await browser.close()
    refusals = {name: shown.pop(name) for name in ("foreign", "unknown", "claudes")}
    assert shown == {
        "said": "Hello there",
        "headers": [True, True, True],
        "streamed": "Hello there",
        "claude": ["thinking", "text", "tool_use"],
        "claudeStream": ["thinking", "text", "tool_use"],
        "claudeCount": True,
        "models": True,
    }
    assert [each["status"] for each in refusals.values()] == [403, 401, 403]
    assert f"web pages of {site}" in refusals["foreign"]["said"]
    assert f"web pages of {site}" in refusals["claudes"]["said"]
    assert len(provider.seen) == len(await metered(4)) == 4
