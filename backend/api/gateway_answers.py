"""Answers of the gateway's routes as the OpenAPI document shows them: a provider's, passed on."""

from __future__ import annotations

from typing import Any, Final

_USAGE: Final = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
_CREATED: Final = 1772355600
_SAID: Final = {"role": "assistant", "content": "Hello there."}
_OPENAI: Final = {"id": "chatcmpl-1", "created": _CREATED, "model": "your-model"}

_CHAT: Final = _OPENAI | {
    "object": "chat.completion",
    "choices": [{"index": 0, "message": _SAID, "finish_reason": "stop"}],
    "usage": _USAGE,
}
_COMPLETION: Final = _OPENAI | {
    "object": "text_completion",
    "choices": [{"index": 0, "text": "Hello there.", "finish_reason": "stop"}],
    "usage": _USAGE,
}
_EMBEDDING: Final = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.12, -0.03, 0.58]}],
    "model": "your-model",
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}
_RESPONSE: Final = {
    "id": "resp_1",
    "object": "response",
    "created_at": _CREATED,
    "status": "completed",
    "model": "your-model",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello there.", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 12, "output_tokens": 3, "total_tokens": 15},
}
_MESSAGE: Final = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "your-model",
    "content": [{"type": "text", "text": "Hello there."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 12, "output_tokens": 3},
}
_IMAGE: Final = {"created": _CREATED, "data": [{"b64_json": "iVBORw0KGgo="}]}
_TEXT: Final = {"text": "Hello there."}
_MODERATION: Final = {
    "id": "modr-1",
    "model": "your-model",
    "results": [
        {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.01}}
    ],
}
_RERANK: Final = {
    "id": "rerank-1",
    "results": [{"index": 1, "relevance_score": 0.93}, {"index": 0, "relevance_score": 0.12}],
}
_CHUNKS: Final = (
    'data: {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": '
    '[{"index": 0, "delta": {"content": "Hello"}}]}\n\ndata: [DONE]\n\n'
)
_EVENTS: Final = (
    'event: response.output_text.delta\ndata: {"type": "response.output_text.delta", '
    '"delta": "Hello"}\n\n'
)
_MESSAGE_EVENTS: Final = (
    'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, '
    '"delta": {"type": "text_delta", "text": "Hello"}}\n\n'
)
_SSE: Final = "text/event-stream"
_JSON: Final = "application/json"

_ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": {_JSON: _CHAT, _SSE: _CHUNKS},
    "/v1/completions": {_JSON: _COMPLETION, _SSE: _CHUNKS},
    "/v1/embeddings": {_JSON: _EMBEDDING},
    "/v1/responses": {_JSON: _RESPONSE, _SSE: _EVENTS},
    "/v1/messages": {_JSON: _MESSAGE, _SSE: _MESSAGE_EVENTS},
    "/v1/images/generations": {_JSON: _IMAGE, _SSE: 'data: {"type": "image.completed"}\n\n'},
    "/v1/images/edits": {_JSON: _IMAGE, _SSE: 'data: {"type": "image.completed"}\n\n'},
    "/v1/audio/transcriptions": {
        _JSON: _TEXT,
        _SSE: 'data: {"type": "transcript.text.delta", "delta": "Hello"}\n\n',
        "text/plain": "Hello there.",
    },
    "/v1/audio/translations": {_JSON: _TEXT, "text/plain": "Hello there."},
    "/v1/moderations": {_JSON: _MODERATION},
    "/v1/rerank": {_JSON: _RERANK},
}
"""By path and media type. Speech is sound, of which there is no example."""


def describe_answers(document: dict[str, Any]) -> None:
    """Say in a document what the gateway's routes answer, in place."""
    for path, answers in _ANSWERS.items():
        document["paths"][path]["post"]["responses"]["200"]["content"] = {
            media_type: {
                "schema": {"type": "object" if media_type == _JSON else "string"},
                "example": example,
            }
            for media_type, example in answers.items()
        }
