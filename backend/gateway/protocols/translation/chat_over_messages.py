"""Chat completions, served by an upstream that speaks Anthropic's messages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import orjson

from backend.gateway.protocols.chat import ChatCompletions
from backend.gateway.protocols.messages import MESSAGES, MessagesReader
from backend.gateway.protocols.parts.base import Answered, Asked, Document, Forwarding, Reader
from backend.gateway.protocols.parts.lenient_json import dumps
from backend.gateway.usage import Usage

_FINISH_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_SYSTEM: Final = frozenset({"system", "developer"})
_CHOICES: Final = {"auto": "auto", "required": "any", "none": "none"}
_TIERS: Final = {"auto": "auto", "default": "standard_only", "priority": "auto"}
"""Anthropic's priority is what ``auto`` comes to, where the seller has a commitment."""
_SAME: Final = ("temperature", "top_p", "top_k")
_USUAL_LIMIT: Final = 4096
"""Anthropic wants a limit; where nobody has one, every model's can be this."""


class ChatOverMessages(ChatCompletions):
    """Reads and answers chats; its upstreams get and send Anthropic's messages.

    One answer is made, whatever ``n`` says. What messages have no counterpart of is left out, such
    as ``seed``, ``logprobs`` and penalties.
    """

    path = MESSAGES.path

    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return the messages that go to a provider."""
        return {**_messages_of(asked, to), "model": to.model}

    def answer(self, asked: Asked, content: bytes) -> Answered:
        """Read a whole message."""
        answered = MESSAGES.answer(asked, content)
        if answered.failure is None:
            answered.document = _completion_of(asked, answered)
        return answered

    def reader(self, asked: Asked) -> Reader:
        """Return what reads a streamed message."""
        return _Reader(asked)


def _messages_of(asked: Asked, to: Forwarding) -> Document:
    chat = asked.document
    request: Document = {
        "max_tokens": asked.output_limit or to.output_cap or _USUAL_LIMIT,
        **{name: chat[name] for name in _SAME if chat.get(name) is not None},
    }
    if asked.stream:
        request["stream"] = True
    tier = chat.get("service_tier")
    if isinstance(tier, str) and tier in _TIERS:
        request["service_tier"] = _TIERS[tier]
    system, messages = _divided(chat["messages"])
    if system:
        request["system"] = system
    request["messages"] = messages
    stop = chat.get("stop")
    if stop:
        request["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if isinstance(chat.get("user"), str):
        request["metadata"] = {"user_id": chat["user"]}
    tools = chat.get("tools")
    if isinstance(tools, list) and tools:
        request["tools"] = [_tool(tool) for tool in tools if isinstance(tool, dict)]
        if choice := _tool_choice(chat):
            request["tool_choice"] = choice
    return request


def _tool(tool: Any) -> Document:
    given = tool.get("function")
    function = given if isinstance(given, dict) else {}
    described = {"name": function.get("name"), "description": function.get("description")}
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return {**{name: text for name, text in described.items() if text}, "input_schema": schema}


def _tool_choice(chat: Document) -> Document | None:
    choice = chat.get("tool_choice")
    chosen: Document | None = None
    if isinstance(choice, str) and choice in _CHOICES:
        chosen = {"type": _CHOICES[choice]}
    elif isinstance(choice, dict) and isinstance(choice.get("function"), dict):
        chosen = {"type": "tool", "name": choice["function"].get("name")}
    if chat.get("parallel_tool_calls") is False and (chosen or {}).get("type") != "none":
        chosen = {**(chosen or {"type": "auto"}), "disable_parallel_tool_use": True}
    return chosen


def _divided(messages: list[Document]) -> tuple[str, list[Document]]:
    """Return the system prompt, and the other messages, with those of one side in a row joined."""
    system: list[str] = []
    turns: list[Document] = []
    for message in messages:
        role = message.get("role")
        blocks = list(_blocks(message.get("content")))
        if role in _SYSTEM:
            system += [str(block.get("text")) for block in blocks]
            continue
        if role == "assistant":
            blocks += _calls(message)
        elif role in ("tool", "function"):
            result: Document = {"type": "tool_result", "tool_use_id": message.get("tool_call_id")}
            blocks = [{**result, "content": blocks}]
        side = "assistant" if role == "assistant" else "user"
        if turns and turns[-1]["role"] == side:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": side, "content": blocks})
    return "\n\n".join(system), turns


def _calls(message: Document) -> Iterator[Document]:
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            yield {
                "type": "tool_use",
                "id": call.get("id"),
                "name": function.get("name"),
                "input": _parsed(function.get("arguments")),
            }


def _parsed(arguments: object) -> Document:
    try:
        parsed = orjson.loads(arguments) if isinstance(arguments, str) and arguments else {}
    except orjson.JSONDecodeError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"arguments": arguments}


def _blocks(content: object) -> Iterator[Document]:
    if isinstance(content, str):
        if content:  # Anthropic refuses an empty text
            yield {"type": "text", "text": content}
        return
    for part in content if isinstance(content, list) else []:
        if not isinstance(part, dict):
            continue
        if part.get("type") == "image_url":
            given = part.get("image_url")
            url = given.get("url") if isinstance(given, dict) else given
            yield {"type": "image", "source": _source(str(url))}
        elif part.get("type") == "file":
            file = part.get("file")
            if isinstance(file, dict) and isinstance(file.get("file_data"), str):
                yield {"type": "document", "source": _source(file["file_data"])}
        elif isinstance(text := part.get("text") or part.get("refusal"), str):
            yield {"type": "text", "text": text}


def _source(url: str) -> Document:
    head, comma, data = url.partition(";base64,")
    if head.startswith("data:") and comma:
        return {"type": "base64", "media_type": head.removeprefix("data:"), "data": data}
    return {"type": "url", "url": url}


def _completion_of(asked: Asked, answered: Answered) -> Document:
    document = answered.document
    message: Document = {"role": "assistant", "content": None}
    texts_of_field: dict[str, list[str]] = {"content": [], "reasoning_content": []}
    calls: list[Document] = []
    for block in document["content"]:
        if not isinstance(block, dict):
            continue
        if block.get("type") == "text":
            texts_of_field["content"].append(str(block.get("text") or ""))
        elif block.get("type") == "thinking":
            texts_of_field["reasoning_content"].append(str(block.get("thinking") or ""))
        elif block.get("type") == "tool_use":
            arguments = dumps(block.get("input") or {}).decode()
            calls.append(_call(block, arguments))
    message |= {name: "".join(texts) for name, texts in texts_of_field.items() if texts}
    if calls:
        message["tool_calls"] = calls
    reason = _FINISH_REASONS.get(str(document.get("stop_reason")), "stop")
    return {
        "id": document.get("id"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": usage_document(answered.usage),
    }


def _call(block: Document, arguments: str) -> Document:
    function = {"name": block.get("name"), "arguments": arguments}
    return {"id": block.get("id"), "type": "function", "function": function}


def usage_document(usage: Usage | None) -> Document:
    """Return a report as OpenAI writes it."""
    usage = usage or Usage()
    prompt, completion = usage.prompt or 0, usage.completion or 0
    written = usage.cache_write + usage.cache_write_1h
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": written},
    }


class _Reader(MessagesReader):
    """Writes a message's events as chunks."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._include_usage = bool(
            (asked.document.get("stream_options") or {}).get("include_usage")
        )
        self._id: object = None
        self._created = int(time.time())
        self._calls = -1

    def write(self, document: Document) -> bytes:
        """Return an event as a chunk, or nothing."""
        kind = document["type"]
        if kind == "message_start":
            message = document.get("message")
            self._id = message.get("id") if isinstance(message, dict) else None
            return self._chunk({"role": "assistant", "content": ""})
        if kind == "content_block_start":
            block = document.get("content_block")
            if isinstance(block, dict) and block.get("type") == "tool_use":
                self._calls += 1
                return self._chunk({"tool_calls": [{"index": self._calls, **_call(block, "")}]})
        if kind == "content_block_delta" and isinstance(document.get("delta"), dict):
            return self._delta(document["delta"])
        if kind == "message_delta" and isinstance(document.get("delta"), dict):
            reason = document["delta"].get("stop_reason")
            if reason is not None:
                return self._chunk({}, _FINISH_REASONS.get(str(reason), "stop"))
        return b""

    def last(self) -> bytes:
        """Return what ends the stream, with the usage where it was asked for."""
        usage = b""
        if self._include_usage:
            usage = self._event({"choices": [], "usage": usage_document(self.usage)})
        return usage + b"data: [DONE]\n\n"

    def _delta(self, delta: Document) -> bytes:
        kind = delta.get("type")
        if kind == "text_delta":
            return self._chunk({"content": delta.get("text")})
        if kind == "thinking_delta":
            return self._chunk({"reasoning_content": delta.get("thinking")})
        if kind == "input_json_delta":
            function = {"arguments": delta.get("partial_json")}
            return self._chunk({"tool_calls": [{"index": self._calls, "function": function}]})
        return b""

    def _chunk(self, delta: Document, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if self._include_usage else {}
        return self._event({"choices": [choice], **usage})

    def _event(self, members: Document) -> bytes:
        head = {"id": self._id, "object": "chat.completion.chunk", "created": self._created}
        return b"data: " + dumps({**head, "model": self._asked.model, **members}) + b"\n\n"


CHAT_OVER_MESSAGES: Final = ChatOverMessages()
