"""What a provider of chat completions answers, and asking for it by OpenAI's SDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.flaky import Reply

if TYPE_CHECKING:
    from openai import AsyncOpenAI

ASKED = [{"role": "user", "content": "Say hello"}]
ASKED_TOKENS = 9  # by OpenAI's rule: 3 a message, 1 its role, 2 its text, 3 to begin the answer
NOTHING = {"requests": 0}
EVENT_STREAM = {"content-type": "text/event-stream"}


def whole(**usage: Any) -> bytes:
    """An answer in one piece."""
    message = {"role": "assistant", "content": "Hello there"}
    answer = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "their-own-name",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    return json.dumps(answer | usage).encode()


def said(text: str, finish: str | None = None, **more: Any) -> bytes:
    """A chunk of a stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return chunk(choices=[choice], **more)


def chunk(**members: Any) -> bytes:
    """Anything as an event of a stream."""
    defaults = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "their-own-name",
    }
    return b"data: " + json.dumps(defaults | members).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}
USED = {"requests": 1, "input_tokens": 50, "output_tokens": 20}


def streamed(*parts: bytes, **options: Any) -> Reply:
    return Reply(body=b"".join(parts), headers=EVENT_STREAM, **options)


async def ask(client: AsyncOpenAI, **more: Any) -> Any:
    return await client.chat.completions.create(model="sample-small", messages=ASKED, **more)


async def listen(client: AsyncOpenAI, **more: Any) -> str:
    """Everything that a streamed answer says."""
    parts = []
    async for piece in await ask(client, stream=True, **more):
        parts += [choice.delta.content or "" for choice in piece.choices]
    return "".join(parts)
