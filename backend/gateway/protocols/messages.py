"""Anthropic's messages.

https://docs.claude.com/en/api/messages, https://docs.claude.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from backend.errors import FareboxError
from backend.gateway.protocols.anthropic_chat import chat_messages, chat_tools, provider_tools
from backend.gateway.protocols.anthropic_errors import anthropic_error, anthropic_error_event
from backend.gateway.protocols.parts.answers import ObjectProtocol, ObjectReader, event_bytes
from backend.gateway.protocols.parts.base import (
    Asked,
    Document,
    Failure,
    Forwarding,
    Protocol,
    Reader,
    text_of,
)
from backend.gateway.protocols.parts.lenient_json import dumps
from backend.gateway.protocols.parts.requests import (
    MOST_TURNS,
    Request,
    are_texts,
    read_limit,
    read_messages,
    read_request,
    uncounted_bytes,
    wants_thoughts,
    wrong,
)
from backend.gateway.protocols.parts.tools import run_by_provider
from backend.gateway.usage import ANTHROPIC, Usage, read_usage

_DELTAS: Final = {
    "text_delta": "text",
    "input_json_delta": "partial_json",
    "thinking_delta": "thinking",
}
"""What each kind of delta says, by its member."""
_PASSED_ON: Final = frozenset(
    {"message_start", "content_block_start", "content_block_delta", "content_block_stop"}
    | {"message_delta", "ping"}
)


class Messages(ObjectProtocol):
    """Messages, as Anthropic and those that follow it serve them."""

    name = "messages"
    path = "messages"
    answers_by = "content"
    headers: ClassVar[Sequence[str]] = ("anthropic-beta", "anthropic-version")

    def read(self, body: bytes) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        parsed = read_request(body)
        request = parsed.document
        read_messages(request)
        limit = read_limit(request, "max_tokens")
        if limit is None:
            raise wrong("max_tokens", "must be a whole number from 1")
        return asked_by_messages(self, parsed, limit=limit)

    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return what goes to a provider."""
        return {**asked.document, "model": to.model, "max_tokens": asked.output_limit}

    def failure(self, document: Document) -> Failure | None:
        """Return the error that an answer or an event is; None if it is none."""
        if document.get("type") == "error" or document.get("error"):
            error = document.get("error")
            return Failure.of_error({"code": error.get("type")} if isinstance(error, dict) else {})
        return None

    def usage(self, document: Document) -> Usage | None:
        """Return the provider's report."""
        return read_usage(document.get("usage"), ANTHROPIC)

    def tier(self, document: Document) -> object:
        """Return the tier of service, which is within the usage."""
        usage = document.get("usage")
        return usage.get("service_tier") if isinstance(usage, dict) else None

    def said(self, document: Document) -> Iterator[str]:
        """Yield what an answer says."""
        for block in document["content"]:
            yield from said_in(block)

    def reader(self, asked: Asked) -> Reader:
        """Return what reads a streamed answer."""
        return MessagesReader(asked)

    def error(self, error: FareboxError) -> bytes:
        """Return an error's body."""
        return anthropic_error(error)

    def error_event(self, error: FareboxError) -> bytes:
        """Return an error as the last event of a stream."""
        return anthropic_error_event(error)


def read_count(body: bytes) -> Asked:
    """Read a request for a count of its tokens; raises ``InvalidRequest``."""
    parsed = read_request(body)
    read_messages(parsed.document)
    return asked_by_messages(MESSAGES, parsed, limit=1)


def asked_by_messages(protocol: Protocol, parsed: Request, *, limit: int) -> Asked:
    """Return a checked request with its messages as those of a chat."""
    request = parsed.document
    messages = chat_messages(request)
    tools = request.get("tools")
    of_provider = provider_tools(tools)
    uncounted = uncounted_bytes(request, counted=("model", "messages", "system", "tools"))
    return Asked(
        protocol=protocol,
        document=request,
        model=parsed.model,
        stream=parsed.stream,
        messages=messages,
        tools=chat_tools(tools),
        output_limit=limit,
        prompts=MOST_TURNS if run_by_provider(tools) or request.get("mcp_servers") else 1,
        thinks=wants_thoughts(request),
        text_only=are_texts(messages),
        uncounted_bytes=uncounted + (len(dumps(of_provider)) if of_provider else 0),
    )


def said_in(block: object) -> Iterator[str]:
    """Yield what a block of an answer says that a tokenizer can count."""
    if not isinstance(block, dict):
        return
    for member in ("text", "thinking", "name"):
        if isinstance(block.get(member), str):
            yield block[member]
    if block.get("input"):
        yield dumps(block["input"]).decode()


class MessagesReader(ObjectReader):
    """Reads events; ``write`` and ``last`` say how the caller gets them."""

    @property
    def spoken(self) -> ObjectProtocol:
        """Messages."""
        return MESSAGES

    def holder(self, document: Document) -> Document:
        """Return the message that an event has, or itself."""
        message = document.get("message")
        return message if isinstance(message, dict) else document

    def is_whole(self, document: Document) -> bool:
        """Return whether an event is a whole message."""
        return document.get("type") == "message"

    def hear(self, document: Document) -> bytes:
        """Read an event; return what the caller gets of it."""
        kind = document.get("type")
        if kind == "message_stop":
            self.finished = self.ended = True
            return b""
        if not isinstance(kind, str) or kind not in _PASSED_ON:
            return b""  # it may be the provider's own words
        self._hear(kind, document)
        return self.write(document)

    def pieces(self, document: Document) -> Iterator[Document]:
        """Return a whole message as events."""
        return events_of(document)

    def write(self, document: Document) -> bytes:
        """Return an event as the caller gets it."""
        return event_bytes(document)

    def last(self) -> bytes:
        """Return what ends a complete answer for the caller."""
        return event_bytes({"type": "message_stop"})

    def _hear(self, kind: str, document: Document) -> None:
        if kind == "message_start":
            message = document.get("message")
            if isinstance(message, dict):
                message["model"] = self._asked.model
                self.answer_id = text_of(message.get("id"))
                self.report(read_usage(message.get("usage"), ANTHROPIC))
        elif kind == "content_block_start":
            self.answered = True
            self.said += said_in(document.get("content_block"))
        elif kind == "content_block_delta":
            delta = document.get("delta")
            if isinstance(delta, dict):
                text = delta.get(_DELTAS.get(str(delta.get("type")), ""))
                if isinstance(text, str):
                    self.said.append(text)
                    if delta.get("type") == "thinking_delta":
                        self.thought_letters += len(text)
        elif kind == "message_delta":
            self.answered = True
            self.report(read_usage(document.get("usage"), ANTHROPIC))
            delta = document.get("delta")
            # A provider that ends the stream after this has sent everything
            if isinstance(delta, dict) and delta.get("stop_reason") is not None:
                self.finished = True
        self.committed = self.committed or self.finished or any(self.said)


def events_of(message: Document) -> Iterator[Document]:
    """Yield a whole message as the events of a stream, without its end."""
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(message["content"]):
        if not isinstance(block, dict):
            continue
        empty, deltas = _as_deltas(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {name: message.get(name) for name in ("stop_reason", "stop_sequence")}
    yield {"type": "message_delta", "delta": ended, "usage": message.get("usage")}


def _as_deltas(block: Document) -> tuple[Document, list[Document]]:
    """Return a block as it begins, and what comes after."""
    kind = block.get("type")
    if kind == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": block.get("text")}]
    if kind == "tool_use":
        given = dumps(block.get("input") or {}).decode()
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": given}]
    if kind == "thinking":
        deltas: list[Document] = [{"type": "thinking_delta", "thinking": block.get("thinking")}]
        if block.get("signature"):
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {**block, "thinking": "", "signature": ""}, deltas
    return block, []


MESSAGES: Final = Messages()
