"""Anthropic's messages, served by an upstream that speaks chat completions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from backend.gateway.protocols.anthropic_chat import chat_messages, chat_tools
from backend.gateway.protocols.chat import ChatReader, choices_of
from backend.gateway.protocols.messages import Messages
from backend.gateway.protocols.parts.answers import event_bytes
from backend.gateway.protocols.parts.base import Answered, Asked, Document, Forwarding, Reader
from backend.gateway.protocols.translation.over_chat import OverChat, begun_chat
from backend.gateway.usage import Usage

_STOP_REASONS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_SAME: Final = ("temperature", "top_p")
_TIERS: Final = {"auto": "auto", "standard_only": "default"}
_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}


class MessagesOverChat(OverChat, Messages):
    """Reads and answers messages; its upstreams get and send chats.

    What chats have no counterpart of is left out: ``top_k``, ``thinking``, marks for the cache.
    """

    def as_chat(self, asked: Asked, to: Forwarding) -> Document:
        """Return a request as a chat."""
        return _chat_of(asked, to)

    def from_chat(self, asked: Asked, answered: Answered) -> Document:
        """Return a chat completion as a message."""
        return _message_of(answered)

    def reader(self, asked: Asked) -> Reader:
        """Return what reads a streamed chat completion."""
        return _Reader(asked)


def _chat_of(asked: Asked, to: Forwarding) -> Document:
    request = asked.document
    messages = chat_messages(request, thoughts=False)
    chat = begun_chat(asked, to, messages, same=_SAME)
    tier = request.get("service_tier")
    if isinstance(tier, str) and tier in _TIERS:
        chat["service_tier"] = _TIERS[tier]
    if request.get("stop_sequences"):
        chat["stop"] = request["stop_sequences"]
    metadata = request.get("metadata")
    if isinstance(metadata, dict) and metadata.get("user_id"):
        chat["user"] = metadata["user_id"]
    if tools := chat_tools(request.get("tools")):
        chat["tools"] = tools
        chat |= _tool_choice(request.get("tool_choice"))
    return chat


def _tool_choice(choice: object) -> Document:
    if not isinstance(choice, dict):
        return {}
    chosen: Document = {}
    if choice.get("type") == "tool":
        function = {"name": choice.get("name")}
        chosen["tool_choice"] = {"type": "function", "function": function}
    elif choice.get("type") in _CHOICES:
        chosen["tool_choice"] = _CHOICES[choice["type"]]
    if choice.get("disable_parallel_tool_use"):
        chosen["parallel_tool_calls"] = False
    return chosen


def _message_of(answered: Answered) -> Document:
    document = answered.document
    choice = choices_of(document)[0]
    given = choice.get("message")
    message: Document = given if isinstance(given, dict) else {}
    content: list[Document] = []
    thought = message.get("reasoning") or message.get("reasoning_content")
    if isinstance(thought, str):
        content.append({"type": "thinking", "thinking": thought, "signature": ""})
    texts = (message.get("content"), message.get("refusal"))
    content += [{"type": "text", "text": text} for text in texts if isinstance(text, str) and text]
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            content.append(
                {
                    "type": "tool_use",
                    "id": call.get("id"),
                    "name": function.get("name"),
                    "input": _parsed(function.get("arguments")),
                }
            )
    return {
        **_head(document),
        "content": content,
        "stop_reason": _STOP_REASONS.get(str(choice.get("finish_reason")), "end_turn"),
        "stop_sequence": None,
        "usage": usage_document(answered.usage),
    }


def _head(document: Document) -> Document:
    return {
        "id": f"msg_{document.get('id') or ''}",
        "type": "message",
        "role": "assistant",
        "model": document.get("model"),
    }


def usage_document(usage: Usage | None) -> Document:
    """Return a report as Anthropic writes it: what was cached is not within the input."""
    usage = usage or Usage()
    cached = min(usage.cached, usage.prompt or 0)
    written = min(usage.cache_write, (usage.prompt or 0) - cached)
    return {
        "input_tokens": (usage.prompt or 0) - cached - written,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": written,
        "output_tokens": usage.completion or 0,
    }


def _parsed(arguments: object) -> Any:
    try:
        parsed = orjson.loads(arguments) if isinstance(arguments, str) and arguments else {}
    except orjson.JSONDecodeError:
        return {"arguments": arguments}
    return parsed if isinstance(parsed, dict) else {"arguments": arguments}


class _Reader(ChatReader):
    """Writes chunks as a message's events. One block is open at a time, as with Anthropic."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked, include_usage=True)
        self._open: tuple[str, object] | None = None
        """The kind of the open block, and which call it is of."""
        self._blocks = 0
        self._begun = False
        self._stop_reason = "end_turn"

    def write(self, chunk: Document) -> bytes:
        """Return a chunk as events."""
        return b"".join(map(event_bytes, self._events(chunk)))

    def last(self) -> bytes:
        """Return the events that end the message, with its usage."""
        delta = {"stop_reason": self._stop_reason, "stop_sequence": None}
        usage = usage_document(self.usage)
        end = {"type": "message_delta", "delta": delta, "usage": usage}
        return b"".join(map(event_bytes, [*self._close(), end, {"type": "message_stop"}]))

    def _events(self, chunk: Document) -> Iterator[Document]:
        if not self._begun:
            self._begun = True
            message = {**_head(chunk), "content": [], "stop_reason": None, "stop_sequence": None}
            usage = usage_document(self.usage)
            yield {"type": "message_start", "message": {**message, "usage": usage}}
        for choice in choices_of(chunk)[:1]:
            delta = choice.get("delta")
            if isinstance(delta, dict):
                yield from self._deltas(delta)
            if choice.get("finish_reason") is not None:
                reason = str(choice["finish_reason"])
                self._stop_reason = _STOP_REASONS.get(reason, "end_turn")

    def _deltas(self, delta: Document) -> Iterator[Document]:
        thought = delta.get("reasoning") or delta.get("reasoning_content")
        if isinstance(thought, str):
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            yield from self._in_block("thinking", None, empty)
            yield self._delta({"type": "thinking_delta", "thinking": thought})
        for text in (delta.get("content"), delta.get("refusal")):
            if isinstance(text, str) and text:
                yield from self._in_block("text", None, {"type": "text", "text": ""})
                yield self._delta({"type": "text_delta", "text": text})
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else []:
            if isinstance(call, dict):
                yield from self._call(call)

    def _call(self, call: Document) -> Iterator[Document]:
        given = call.get("function")
        function: Document = given if isinstance(given, dict) else {}
        block: Document = {
            "type": "tool_use",
            "id": call.get("id"),
            "name": function.get("name"),
            "input": {},
        }
        yield from self._in_block("tool_use", call.get("index", call.get("id")), block)
        if isinstance(function.get("arguments"), str) and function["arguments"]:
            part = {"type": "input_json_delta", "partial_json": function["arguments"]}
            yield self._delta(part)

    def _in_block(self, kind: str, of: object, empty: Document) -> Iterator[Document]:
        """Yield what is needed for such a block to be the open one."""
        if self._open == (kind, of):
            return
        yield from self._close()
        self._open = (kind, of)
        yield {"type": "content_block_start", "index": self._blocks, "content_block": empty}

    def _close(self) -> Iterator[Document]:
        if self._open is not None:
            yield {"type": "content_block_stop", "index": self._blocks}
            self._blocks += 1
            self._open = None

    def _delta(self, delta: Document) -> Document:
        return {"type": "content_block_delta", "index": self._blocks, "delta": delta}


MESSAGES_OVER_CHAT: Final = MessagesOverChat()
