"""What a provider of Anthropic's messages answers."""

from __future__ import annotations

import json
from typing import Any

from tests.support.flaky import Reply

USAGE = {
    "input_tokens": 21,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    "output_tokens": 9,
}
USED = {
    "requests": 1,
    "input_tokens": 21,
    "cached_input_tokens": 100,
    "cache_write_tokens": 20,
    "cache_write_1h_tokens": 10,
    "output_tokens": 9,
}
CONTENT: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "Be kind.", "signature": "c2ln"},
    {"type": "text", "text": "Hello there"},
    {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"word": "sea"}},
]


def message(**members: Any) -> dict[str, Any]:
    """A whole message."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "their-own-name",
        "content": CONTENT,
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": USAGE,
        **members,
    }


def event(kind: str, **members: Any) -> bytes:
    """One event of a stream."""
    data = json.dumps({"type": kind, **members})
    return f"event: {kind}\ndata: {data}\n\n".encode()


def delta(index: int, **members: Any) -> bytes:
    """A part of a block."""
    return event("content_block_delta", index=index, delta=members)


def begin(index: int, block: dict[str, Any]) -> bytes:
    """The begin of a block."""
    return event("content_block_start", index=index, content_block=block)


START = event(
    "message_start",
    message=message(content=[], stop_reason=None, usage={**USAGE, "output_tokens": 1}),
)
STREAM = (
    START,
    event("ping"),
    begin(0, {"type": "thinking", "thinking": "", "signature": ""}),
    delta(0, type="thinking_delta", thinking="Be "),
    delta(0, type="thinking_delta", thinking="kind."),
    delta(0, type="signature_delta", signature="c2ln"),
    event("content_block_stop", index=0),
    begin(1, {"type": "text", "text": ""}),
    delta(1, type="text_delta", text="Hello"),
    delta(1, type="text_delta", text=" there"),
    event("content_block_stop", index=1),
    begin(2, {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}}),
    delta(2, type="input_json_delta", partial_json='{"word": '),
    delta(2, type="input_json_delta", partial_json='"sea"}'),
    event("content_block_stop", index=2),
    event(
        "message_delta",
        delta={"stop_reason": "tool_use", "stop_sequence": None},
        usage={"output_tokens": 9},
    ),
    event("message_stop"),
)


def streamed(*parts: bytes, **options: Any) -> Reply:
    """A reply with the parts of a stream."""
    headers = {"content-type": "text/event-stream"}
    return Reply(body=b"".join(parts), headers=headers, **options)


def whole(**members: Any) -> Reply:
    """A reply with a whole message."""
    return Reply(body=json.dumps(message(**members)).encode())
