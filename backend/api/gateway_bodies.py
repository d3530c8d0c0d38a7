"""Requests of the gateway's routes as the OpenAPI document shows them.

What developers look up; a provider takes more, and all of it is passed on.
"""

from __future__ import annotations

from typing import Any

_MODEL = {"type": "string", "description": "One of `GET /v1/models`"}
_STREAM = {
    "type": "boolean",
    "description": "Whether the answer comes in pieces, as it is made",
}
_TEMPERATURE = {"type": "number", "description": "0 to 2"}
_TEXTS = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _body(
    title: str, properties: dict[str, Any], required: list[str], example: dict[str, Any]
) -> dict[str, Any]:
    schema = {
        "title": title,
        "type": "object",
        "properties": {"model": _MODEL, **properties},
        "required": ["model", *required],
    }
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


CHAT = _body(
    "ChatRequest",
    {
        "messages": {
            "type": "array",
            "description": "The conversation so far, the question last",
            "items": {"type": "object"},
        },
        "max_tokens": {
            "type": "integer",
            "description": "The longest answer; bounds what the call may cost",
        },
        "stream": _STREAM,
        "temperature": _TEMPERATURE,
        "tools": {
            "type": "array",
            "description": "Functions that the model may ask for",
            "items": {"type": "object"},
        },
        "response_format": {
            "type": "object",
            "description": "A JSON schema that the answer keeps to",
        },
    },
    ["messages"],
    {
        "model": "your-model",
        "messages": [{"role": "user", "content": "Say hello."}],
        "max_tokens": 32,
        "stream": False,
    },
)

COMPLETION = _body(
    "CompletionRequest",
    {
        "prompt": {**_TEXTS, "description": "What the model continues"},
        "max_tokens": {
            "type": "integer",
            "description": "The longest answer; bounds what the call may cost",
        },
        "stream": _STREAM,
        "temperature": _TEMPERATURE,
    },
    ["prompt"],
    {"model": "your-model", "prompt": "Once upon a time", "max_tokens": 32},
)

EMBEDDING = _body(
    "EmbeddingRequest",
    {
        "input": {**_TEXTS, "description": "The texts whose vectors are wanted"},
        "dimensions": {"type": "integer", "description": "The length of a vector"},
        "encoding_format": {"type": "string", "enum": ["float", "base64"]},
    },
    ["input"],
    {"model": "your-model", "input": ["A text", "Another"]},
)

RESPONSE = _body(
    "ResponseRequest",
    {
        "input": {
            "description": "The question, or the conversation so far as items",
            "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}],
        },
        "instructions": {"type": "string", "description": "What the model has to keep to"},
        "max_output_tokens": {
            "type": "integer",
            "description": "The longest answer; bounds what the call may cost",
        },
        "stream": _STREAM,
        "tools": {
            "type": "array",
            "description": "Functions that the model may ask for",
            "items": {"type": "object"},
        },
    },
    ["input"],
    {"model": "your-model", "input": "Say hello.", "max_output_tokens": 32},
)

_MESSAGES = {
    "system": {"type": "string", "description": "What the model has to keep to"},
    "messages": {
        "type": "array",
        "description": "The conversation so far, the question last",
        "items": {"type": "object"},
    },
    "tools": {
        "type": "array",
        "description": "Functions that the model may ask for",
        "items": {"type": "object"},
    },
}

MESSAGE = _body(
    "MessageRequest",
    {
        **_MESSAGES,
        "max_tokens": {
            "type": "integer",
            "description": "The longest answer; bounds what the call may cost",
        },
        "stream": _STREAM,
        "temperature": {"type": "number", "description": "0 to 1"},
    },
    ["messages", "max_tokens"],
    {
        "model": "your-model",
        "max_tokens": 32,
        "messages": [{"role": "user", "content": "Say hello."}],
    },
)

MESSAGE_COUNT = _body(
    "MessageCountRequest",
    _MESSAGES,
    ["messages"],
    {"model": "your-model", "messages": [{"role": "user", "content": "Say hello."}]},
)

IMAGE = _body(
    "ImageRequest",
    {
        "prompt": {"type": "string", "description": "What the picture shows"},
        "n": {"type": "integer", "description": "How many pictures, 1 to 10"},
        "size": {"type": "string", "description": "Such as `1024x1024`"},
        "stream": _STREAM,
    },
    ["prompt"],
    {"model": "your-model", "prompt": "A boat at sea", "n": 1},
)

SPEECH = _body(
    "SpeechRequest",
    {
        "input": {"type": "string", "description": "The text"},
        "voice": {"type": "string", "description": "Such as `alloy`"},
        "response_format": {"type": "string", "description": "Such as `mp3`, `opus` or `wav`"},
        "stream_format": {
            "type": "string",
            "enum": ["audio", "sse"],
            "description": "Whether the sound comes by itself or in events",
        },
    },
    ["input", "voice"],
    {"model": "your-model", "input": "Good morning", "voice": "alloy"},
)

_SOUND = {
    "file": {"type": "string", "format": "binary", "description": "The sound"},
    "response_format": {
        "type": "string",
        "enum": ["json", "text", "srt", "verbose_json", "vtt"],
        "description": "How the text is written",
    },
}


def _form(title: str, properties: dict[str, Any], file: str = "file") -> dict[str, Any]:
    schema = {
        "title": title,
        "type": "object",
        "properties": {"model": _MODEL, **properties},
        "required": ["model", file],
    }
    content = {"multipart/form-data": {"schema": schema, "example": {"model": "your-model"}}}
    return {"requestBody": {"required": True, "content": content}}


TRANSCRIPTION = _form(
    "TranscriptionRequest",
    {
        **_SOUND,
        "language": {"type": "string", "description": "Such as `en`, if it is known"},
        "stream": _STREAM,
    },
)
TRANSLATION = _form("TranslationRequest", _SOUND)
IMAGE_EDIT = _form(
    "ImageEditRequest",
    {
        "image": {"type": "string", "format": "binary", "description": "The picture"},
        "mask": {"type": "string", "format": "binary", "description": "Clear where it changes"},
        "prompt": {"type": "string", "description": "What the new picture shows"},
        "n": {"type": "integer", "description": "How many pictures, 1 to 10"},
        "stream": _STREAM,
    },
    "image",
)

MODERATION = _body(
    "ModerationRequest",
    {"input": {**_TEXTS, "description": "The texts to be judged"}},
    ["input"],
    {"model": "your-model", "input": "A text"},
)

RERANK = _body(
    "RerankRequest",
    {
        "query": {"type": "string", "description": "The question"},
        "documents": {
            "type": "array",
            "description": "The texts to be put in order",
            "items": {"type": "string"},
        },
        "top_n": {"type": "integer", "description": "How many to return"},
    },
    ["query", "documents"],
    {"model": "your-model", "query": "What is the sea?", "documents": ["Water", "Sand"]},
)
