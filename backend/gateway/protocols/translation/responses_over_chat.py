"""OpenAI's responses, served by an upstream that speaks chat completions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from backend.gateway.protocols.chat import ChatReader, choices_of
from backend.gateway.protocols.parts.answers import event_bytes
from backend.gateway.protocols.parts.base import Answered, Asked, Document, Forwarding, Reader
from backend.gateway.protocols.responses import Responses
from backend.gateway.protocols.responses_chat import chat_messages
from backend.gateway.protocols.responses_tools import calls_by_chat_name, chat_name, flat_tools
from backend.gateway.protocols.translation.over_chat import OverChat, begun_chat
from backend.gateway.usage import Usage

_SAME: Final = (
    *("temperature", "top_p", "user", "parallel_tool_calls", "service_tier", "metadata"),
    *("safety_identifier", "prompt_cache_key", "top_logprobs"),
)
_ECHOED: Final[Document] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": None,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
}
"""Parameters that a response repeats, with what stands where none was given."""


class ResponsesOverChat(OverChat, Responses):
    """Reads and answers responses; its upstreams get and send chats. Nothing is stored."""

    def as_chat(self, asked: Asked, to: Forwarding) -> Document:
        """Return a request as a chat."""
        return _chat_of(asked, to)

    def from_chat(self, asked: Asked, answered: Answered) -> Document:
        """Return a chat completion as a response."""
        return _response_of(asked, answered)

    def reader(self, asked: Asked) -> Reader:
        """Return what reads a streamed chat completion."""
        return _Reader(asked)


def _chat_of(asked: Asked, to: Forwarding) -> Document:
    request = asked.document
    chat = begun_chat(asked, to, chat_messages(request), same=_SAME)
    if tools := flat_tools(request.get("tools")):
        chat["tools"] = tools
        choice = request.get("tool_choice")
        if isinstance(choice, str):
            chat["tool_choice"] = choice
        elif isinstance(choice, dict) and choice.get("type") == "function":
            function = {"name": chat_name(choice)}
            chat["tool_choice"] = {"type": "function", "function": function}
    reasoning, text = request.get("reasoning"), request.get("text")
    if isinstance(reasoning, dict) and reasoning.get("effort"):
        chat["reasoning_effort"] = reasoning["effort"]
    wanted = text.get("format") if isinstance(text, dict) else None
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        schema = {name: value for name, value in wanted.items() if name != "type"}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif isinstance(wanted, dict) and wanted.get("type") == "json_object":
        chat["response_format"] = wanted
    return chat


def usage_document(usage: Usage | None) -> Document | None:
    """Return a report as a response has it."""
    if usage is None:
        return None
    prompt, completion = usage.prompt or 0, usage.completion or 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
        },
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": prompt + completion,
    }


def _response(asked: Asked, chat_id: object, created: object, **members: Any) -> Document:
    echoed = {
        name: asked.document[name] if asked.document.get(name) is not None else usual
        for name, usual in _ECHOED.items()
    }
    return {
        "id": f"resp_{chat_id or ''}",
        "object": "response",
        "created_at": created if isinstance(created, int) else int(time.time()),
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": asked.model,
        **echoed,
        "store": False,
        **members,
    }


def _ended(finish_reason: object) -> Document:
    if finish_reason == "length":
        details = {"reason": "max_output_tokens"}
        return {"status": "incomplete", "incomplete_details": details}
    if finish_reason == "content_filter":
        return {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    return {"status": "completed"}


def _response_of(asked: Asked, answered: Answered) -> Document:
    document = answered.document
    choice = choices_of(document)[0]
    given = choice.get("message")
    message: Document = given if isinstance(given, dict) else {}
    output = _Output(document.get("id"), asked)
    for _ in output.add(message):
        """Events are for streams."""
    for _ in output.close():
        """The same."""
    return _response(
        asked,
        document.get("id"),
        document.get("created"),
        output=output.items,
        usage=usage_document(answered.usage),
        **_ended(choice.get("finish_reason")),
    )


class _Output:
    """Grows the items of a response out of deltas, and says it in events. One item is open."""

    def __init__(self, chat_id: object, asked: Asked) -> None:
        self.items: list[Document] = []
        self._chat_id = chat_id
        self._namespaced = calls_by_chat_name(asked.document.get("tools"))
        self._open: tuple[str, object] | None = None

    def add(self, delta: Document) -> Iterator[Document]:
        """Add what a delta, or a whole message, says; yield the events without their numbers."""
        thought = delta.get("reasoning") or delta.get("reasoning_content")
        if isinstance(thought, str):
            yield from self._in_item("reasoning", None, {"summary": [], "content": []})
            yield from self._text("reasoning_text", "response.reasoning_text", thought)
        for text in (delta.get("content"), delta.get("refusal")):
            if isinstance(text, str) and text:
                message = {"role": "assistant", "status": "in_progress", "content": []}
                yield from self._in_item("message", None, message)
                yield from self._text("output_text", "response.output_text", text)
        calls = delta.get("tool_calls")
        for place, call in enumerate(calls if isinstance(calls, list) else []):
            if isinstance(call, dict):
                yield from self._call(call, place)

    def close(self) -> Iterator[Document]:
        """Yield the events that end the open item."""
        if self._open is None:
            return
        item, at = self.items[-1], self._at()
        self._open = None
        if item["type"] == "function_call":
            arguments = item["arguments"]
            done = "response.function_call_arguments.done"
            yield {"type": done, "arguments": arguments, "name": item["name"], **at}
        for index, part in enumerate(item.get("content") or []):
            place = {**at, "content_index": index}
            kind = "output_text" if part["type"] == "output_text" else "reasoning_text"
            more: Document = {"logprobs": []} if kind == "output_text" else {}
            yield {"type": f"response.{kind}.done", "text": part["text"], **more, **place}
            yield {"type": "response.content_part.done", "part": dict(part), **place}
        item["status"] = "completed"
        yield {
            "type": "response.output_item.done",
            "output_index": at["output_index"],
            "item": dict(item),
        }

    def _call(self, call: Document, place: int) -> Iterator[Document]:
        given = call.get("function")
        function: Document = given if isinstance(given, dict) else {}
        name = function.get("name")
        item = {
            "call_id": call.get("id"),
            "name": name,
            **self._namespaced.get(str(name), {}),
            "arguments": "",
            "status": "in_progress",
        }
        yield from self._in_item("function_call", call.get("index", place), item)
        arguments = function.get("arguments")
        if isinstance(arguments, str) and arguments:
            self.items[-1]["arguments"] += arguments
            kind = "response.function_call_arguments.delta"
            yield {"type": kind, "delta": arguments, **self._at()}

    def _in_item(self, kind: str, of: object, begun: Document) -> Iterator[Document]:
        """Yield what is needed for such an item to be the open one."""
        if self._open == (kind, of):
            return
        yield from self.close()
        self._open = (kind, of)
        number = len(self.items)
        self.items.append({"id": f"item_{self._chat_id or ''}_{number}", "type": kind, **begun})
        added = {**self.items[-1], **({"content": []} if "content" in begun else {})}
        yield {"type": "response.output_item.added", "output_index": number, "item": added}

    def _text(self, kind: str, event: str, text: str) -> Iterator[Document]:
        content = self.items[-1]["content"]
        at = {**self._at(), "content_index": 0}
        more: Document = {"annotations": [], "logprobs": []} if kind == "output_text" else {}
        if not content:
            content.append({"type": kind, "text": "", **more})
            yield {"type": "response.content_part.added", "part": dict(content[0]), **at}
        content[0]["text"] += text
        logprobs: Document = {"logprobs": []} if kind == "output_text" else {}
        yield {"type": f"{event}.delta", "delta": text, **logprobs, **at}

    def _at(self) -> Document:
        return {"item_id": self.items[-1]["id"], "output_index": len(self.items) - 1}


class _Reader(ChatReader):
    """Writes chunks as a response's events."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked, include_usage=True)
        self._output = _Output(None, asked)
        self._head: tuple[object, object] | None = None
        self._number = 0
        self._finish_reason: object = None

    def write(self, chunk: Document) -> bytes:
        """Return a chunk as events."""
        return b"".join(map(self._event, self._events(chunk)))

    def last(self) -> bytes:
        """Return the events that end the response, with its usage."""
        events = list(self._output.close())
        ended = _ended(self._finish_reason)
        response = self._response(
            output=self._output.items, usage=usage_document(self.usage), **ended
        )
        events.append({"type": f"response.{ended['status']}", "response": response})
        return b"".join(map(self._event, events))

    def _events(self, chunk: Document) -> Iterator[Document]:
        if self._head is None:
            self._head = chunk.get("id"), chunk.get("created")
            self._output = _Output(chunk.get("id"), self._asked)
            begun = self._response(status="in_progress", output=[], usage=None)
            yield {"type": "response.created", "response": begun}
            yield {"type": "response.in_progress", "response": begun}
        for choice in choices_of(chunk)[:1]:
            if isinstance(choice.get("delta"), dict):
                yield from self._output.add(choice["delta"])
            self._finish_reason = choice.get("finish_reason") or self._finish_reason

    def _response(self, **members: Any) -> Document:
        chat_id, created = self._head or (None, None)
        return _response(self._asked, chat_id, created, **members)

    def _event(self, document: Document) -> bytes:
        self._number += 1
        return event_bytes({**document, "sequence_number": self._number - 1})


RESPONSES_OVER_CHAT: Final = ResponsesOverChat()
