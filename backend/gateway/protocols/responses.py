"""OpenAI's responses.

https://platform.openai.com/docs/api-reference/responses,
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from backend.errors import FareboxError
from backend.gateway.protocols.base import (
    EMPTY,
    Answered,
    Asked,
    Document,
    Failure,
    Forwarding,
    Protocol,
    Reader,
    text_of,
)
from backend.gateway.protocols.lenient_json import dumps
from backend.gateway.protocols.openai_errors import openai_error
from backend.gateway.protocols.requests import (
    MOST_TURNS,
    read_answer,
    read_limit,
    read_model,
    read_object,
    read_stream,
    refuse_too_deep,
    uncounted_bytes,
    wants_thoughts,
    wrong,
)
from backend.gateway.protocols.responses_chat import chat_messages, chat_tools, other_tools
from backend.gateway.sse import Event
from backend.gateway.usage import read_usage

_LAST: Final = frozenset({"response.completed", "response.incomplete"})
_SAID: Final = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.audio.transcript.delta",
    }
)


class Responses(Protocol):
    """Responses, as OpenAI and those that follow it serve them."""

    name = "responses"
    path = "responses"
    implied: ClassVar[Mapping[str, bool]] = {"store": True}

    def read(self, body: bytes) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        request = read_object(body)
        model, stream = read_model(request), read_stream(request)
        given = request.get("input")
        if not isinstance(given, str | list | None) or (not given and not request.get("prompt")):
            raise wrong("input", "must be a text, or an array of items")
        refuse_too_deep(request)
        messages = chat_messages(request)
        tools = request.get("tools")
        others = other_tools(tools)
        uncounted = uncounted_bytes(request, counted=("model", "input", "instructions", "tools"))
        return Asked(
            protocol=self,
            document=request,
            model=model,
            stream=stream,
            messages=messages,
            tools=chat_tools(tools),
            output_limit=read_limit(request, "max_output_tokens"),
            prompts=MOST_TURNS if others else 1,
            thinks=wants_thoughts(request),
            text_only=all(
                isinstance(message["content"], str | None)
                or all(part.get("type") == "text" for part in message["content"])
                for message in messages
            ),
            uncounted_bytes=uncounted + (len(dumps(others)) if others else 0),
        )

    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return what goes to a provider."""
        request = {**asked.document, "model": to.model}
        if to.output_cap is not None and asked.output_limit is None:
            request["max_output_tokens"] = to.output_cap
        return request

    def answer(self, asked: Asked, content: bytes) -> Answered:
        """Read a whole answer."""
        return _answered(asked, read_answer(content))

    def reader(self, asked: Asked) -> Reader:
        """Return what reads a streamed answer."""
        return _ResponsesReader(asked)

    def error(self, error: FareboxError) -> bytes:
        """Return an error's body."""
        return openai_error(error)

    def error_event(self, error: FareboxError) -> bytes:
        """Return an error as the last event of a stream."""
        return error_event(error)


def error_event(error: FareboxError, sequence_number: int = 0) -> bytes:
    """Return an error as an event of a stream."""
    return event_bytes(
        {
            "type": "error",
            "code": error.code,
            "message": error.detail,
            "param": error.errors[0].field if error.errors else None,
            "sequence_number": sequence_number,
        }
    )


def event_bytes(document: Document) -> bytes:
    """Return an event as OpenAI sends it: named by its type."""
    return b"event: " + str(document["type"]).encode() + b"\ndata: " + dumps(document) + b"\n\n"


def _failure_of(document: Document) -> Failure | None:
    if document.get("error") or document.get("status") == "failed":
        return Failure.of_error(document.get("error"))
    return None


def _answered(asked: Asked, document: Document) -> Answered:
    failure = _failure_of(document)
    if failure is not None or not isinstance(document.get("output"), list):
        return Answered({}, failure=failure or EMPTY)
    document["model"] = asked.model
    said = [text for item in document["output"] for text in _said_in(item)]
    usage = read_usage(document.get("usage"))
    return Answered(document, usage, said)


def _said_in(item: object) -> Iterator[str]:
    """Yield what an item of an answer says that a tokenizer can count."""
    if not isinstance(item, dict):
        return
    for member in ("name", "arguments", "input"):
        if isinstance(item.get(member), str):
            yield item[member]
    for member in ("content", "summary"):
        parts = item.get(member)
        for part in parts if isinstance(parts, list) else []:
            if isinstance(part, dict):
                for text in (part.get("text"), part.get("refusal")):
                    if isinstance(text, str):
                        yield text


class _ResponsesReader(Reader):
    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._asked = asked
        self._last = b""

    def feed(self, event: Event) -> bytes:
        if self.ended or event.data == b"[DONE]":
            return b""
        document = read_answer(event.data)
        if not document:
            self.fail(Failure("The model provider broke the stream off."))
            return b""
        if document.get("object") == "response":
            return self._read_whole(document)
        kind = document.get("type")
        response = document.get("response")
        if kind in ("error", "response.failed") or document.get("error"):
            holder = response if isinstance(response, dict) else document
            # What was made until then is billed, and this is who knows how much that was
            self.report(read_usage(holder.get("usage")))
            self.fail(Failure.of_error(holder.get("error") or holder))
            return b""
        if not isinstance(kind, str) or not kind.startswith("response."):
            return b""  # it may be the provider's own words
        if isinstance(response, dict):
            if "model" in response:
                response["model"] = self._asked.model
            self.answer_id = self.answer_id or text_of(response.get("id"))
            self.report(read_usage(response.get("usage")))
        self._hear(kind, document)
        if kind in _LAST:
            self.answered = self.committed = self.finished = self.ended = True
            self._last = event_bytes(document)
            return b""
        return event_bytes(document)

    def last(self) -> bytes:
        return self._last

    def _hear(self, kind: str, document: Document) -> None:
        if kind in _SAID and isinstance(document.get("delta"), str):
            self.answered = True
            self.said.append(document["delta"])
            if kind.startswith("response.reasoning"):
                self.thought_letters += len(document["delta"])
        elif kind == "response.output_item.added":
            item = document.get("item")
            if isinstance(item, dict) and isinstance(item.get("name"), str):
                self.said.append(item["name"])
        self.committed = self.committed or any(self.said)

    def _read_whole(self, document: Document) -> bytes:
        whole = _answered(self._asked, document)
        if whole.failure is not None:
            self.fail(whole.failure)
            return b""
        self.said += whole.said
        self.answer_id = whole.answer_id
        self.report(whole.usage)
        self.answered = self.committed = self.finished = self.ended = True
        *events, last = events_of(whole.document)
        self._last = event_bytes(last)
        return b"".join(map(event_bytes, events))


def events_of(response: Document) -> Iterator[Document]:
    """Yield a whole response as the events of a stream."""
    number = 0

    def event(kind: str, **members: object) -> Document:
        nonlocal number
        number += 1
        return {"type": kind, "sequence_number": number - 1, **members}

    begun = {**response, "output": [], "usage": None, "status": "in_progress"}
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    for place, item in enumerate(response["output"]):
        if not isinstance(item, dict):
            continue
        at = {"output_index": place, "item_id": item.get("id")}
        yield event("response.output_item.added", output_index=place, item=_begun(item))
        if item.get("type") == "function_call":
            said = item.get("arguments")
            yield event("response.function_call_arguments.delta", delta=said, **at)
            yield event("response.function_call_arguments.done", arguments=said, **at)
        elif item.get("type") == "message":
            for index, part in enumerate(item.get("content") or []):
                if isinstance(part, dict) and part.get("type") == "output_text":
                    in_part = {**at, "content_index": index}
                    empty = {**part, "text": ""}
                    text = part.get("text")
                    yield event("response.content_part.added", part=empty, **in_part)
                    yield event("response.output_text.delta", delta=text, logprobs=[], **in_part)
                    yield event("response.output_text.done", text=text, logprobs=[], **in_part)
                    yield event("response.content_part.done", part=part, **in_part)
        yield event("response.output_item.done", output_index=place, item=item)
    incomplete = response.get("status") == "incomplete"
    yield event(f"response.{'incomplete' if incomplete else 'completed'}", response=response)


def _begun(item: Document) -> Document:
    begun = {**item, "status": "in_progress"}
    if item.get("type") == "message":
        begun["content"] = []
    if item.get("type") == "function_call":
        begun["arguments"] = ""
    return begun


RESPONSES: Final = Responses()
