"""What a provider of OpenAI's responses answers."""

from __future__ import annotations

import json
from typing import Any

PART = {"type": "output_text", "text": "Hello there", "annotations": []}
ITEM = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [PART],
}
USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"cached_tokens": 30},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 15},
    "total_tokens": 70,
}
RESPONSE_USED = {
    "requests": 1,
    "input_tokens": 20,
    "cached_input_tokens": 30,
    "output_tokens": 5,
    "reasoning_tokens": 15,
}


def response(**members: Any) -> dict[str, Any]:
    """A whole response."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": "their-own-name",
        "output": [ITEM],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "temperature": 1.0,
        "top_p": 1.0,
        "metadata": {},
        "usage": USAGE,
        **members,
    }


RESPONSE = response()


def event(number: int, kind: str, **members: Any) -> bytes:
    """One event of a stream."""
    data = json.dumps({"type": kind, "sequence_number": number, **members})
    return f"event: {kind}\ndata: {data}\n\n".encode()


_BEGUN = response(status="in_progress", output=[], usage=None)
_PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
STREAM = (
    event(0, "response.created", response=_BEGUN),
    event(1, "response.in_progress", response=_BEGUN),
    event(
        2,
        "response.output_item.added",
        output_index=0,
        item={**ITEM, "status": "in_progress", "content": []},
    ),
    event(3, "response.content_part.added", part={**PART, "text": ""}, **_PLACE),
    event(4, "response.output_text.delta", delta="Hello", logprobs=[], **_PLACE),
    event(5, "response.output_text.delta", delta=" there", logprobs=[], **_PLACE),
    event(6, "response.output_text.done", text="Hello there", logprobs=[], **_PLACE),
    event(7, "response.content_part.done", part=PART, **_PLACE),
    event(8, "response.output_item.done", output_index=0, item=ITEM),
    event(9, "response.completed", response=RESPONSE),
)
