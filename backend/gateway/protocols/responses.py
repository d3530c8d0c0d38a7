"""OpenAI's responses.

https://platform.openai.com/docs/api-reference/responses,
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from backend.errors import FareboxError
from backend.gateway.protocols.parts.answers import ObjectProtocol, ObjectReader, event_bytes
from backend.gateway.protocols.parts.base import (
    Asked,
    Document,
    Failure,
    Forwarding,
    Reader,
    text_of,
)
from backend.gateway.protocols.parts.lenient_json import dumps
from backend.gateway.protocols.parts.requests import (
    MOST_TURNS,
    are_texts,
    read_limit,
    read_request,
    uncounted_bytes,
    wants_thoughts,
    wrong,
)
from backend.gateway.protocols.parts.tools import run_by_provider
from backend.gateway.protocols.responses_chat import chat_messages
from backend.gateway.protocols.responses_tools import chat_tools, other_tools
from backend.gateway.usage import Usage, read_usage

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


class Responses(ObjectProtocol):
    """Responses, as OpenAI and those that follow it serve them."""

    name = "responses"
    path = "responses"
    answers_by = "output"
    implied: ClassVar[Mapping[str, bool]] = {"store": True}

    def read(self, body: bytes) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        parsed = read_request(body)
        request = parsed.document
        given = request.get("input")
        if not isinstance(given, str | list | None) or (not given and not request.get("prompt")):
            raise wrong("input", "must be a text, or an array of items")
        messages = chat_messages(request)
        tools = request.get("tools")
        others = other_tools(tools)
        uncounted = uncounted_bytes(request, counted=("model", "input", "instructions", "tools"))
        return Asked(
            protocol=self,
            document=request,
            model=parsed.model,
            stream=parsed.stream,
            messages=messages,
            tools=chat_tools(tools),
            output_limit=read_limit(request, "max_output_tokens"),
            prompts=MOST_TURNS if run_by_provider(tools) else 1,
            thinks=wants_thoughts(request),
            text_only=are_texts(messages),
            uncounted_bytes=uncounted + (len(dumps(others)) if others else 0),
        )

    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return what goes to a provider."""
        request = {**asked.document, "model": to.model}
        if to.output_cap is not None and asked.output_limit is None:
            request["max_output_tokens"] = to.output_cap
        return request

    def failure(self, document: Document) -> Failure | None:
        """Return the error that an answer is; None if it is none."""
        if document.get("error") or document.get("status") == "failed":
            return Failure.of_error(document.get("error"))
        return None

    def usage(self, document: Document) -> Usage | None:
        """Return the provider's report."""
        return read_usage(document.get("usage"))

    def said(self, document: Document) -> Iterator[str]:
        """Yield what an answer says."""
        for item in document["output"]:
            yield from _said_in(item)

    def reader(self, asked: Asked) -> Reader:
        """Return what reads a streamed answer."""
        return _ResponsesReader(asked)

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


class _ResponsesReader(ObjectReader):
    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._last = b""

    @property
    def spoken(self) -> ObjectProtocol:
        return RESPONSES

    def is_whole(self, document: Document) -> bool:
        return document.get("object") == "response"

    def failure_in(self, document: Document, name: str) -> Failure | None:
        if document.get("type") in ("error", "response.failed"):
            holder = self.holder(document)
            return Failure.of_error(holder.get("error") or holder)
        return self.spoken.failure(document)

    def holder(self, document: Document) -> Document:
        response = document.get("response")
        return response if isinstance(response, dict) else document

    def hear(self, document: Document) -> bytes:
        kind, response = document.get("type"), document.get("response")
        if not isinstance(kind, str) or not kind.startswith("response."):
            return b""  # it may be the provider's own words
        if isinstance(response, dict):
            if "model" in response:
                response["model"] = self._asked.model
            self.answer_id = self.answer_id or text_of(response.get("id"))
            self.report(self.spoken.usage(response))
        self._hear(kind, document)
        if kind in _LAST:
            self.answered = self.committed = self.finished = self.ended = True
        return self.write(document)

    def pieces(self, document: Document) -> Iterator[Document]:
        return events_of(document)

    def write(self, document: Document) -> bytes:
        if document["type"] in _LAST:
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
            arguments = item.get("arguments")
            yield event("response.function_call_arguments.delta", delta=arguments, **at)
            yield event("response.function_call_arguments.done", arguments=arguments, **at)
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
