"""OpenAI's chat completions.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.errors import FareboxError
from backend.gateway.protocols.openai_errors import openai_error
from backend.gateway.protocols.parts.answers import END, GARBAGE, ObjectProtocol, ObjectReader
from backend.gateway.protocols.parts.base import (
    Asked,
    Document,
    Failure,
    Forwarding,
    Reader,
    text_of,
)
from backend.gateway.protocols.parts.lenient_json import dumps, loads
from backend.gateway.protocols.parts.requests import (
    MOST_TURNS,
    read_messages,
    read_request,
    uncounted_bytes,
    wants_thoughts,
    wrong,
)
from backend.gateway.usage import Usage, read_usage
from backend.metering.tokens.counts import texts_of

_MOST_ANSWERS: Final = 128
_OUTPUT_LIMITS: Final = ("max_completion_tokens", "max_tokens", "n_predict")
"""Parameters that limit an answer's length: OpenAI's names, and llama.cpp's own."""
_KNOWN_LIMITS: Final = ("max_completion_tokens", "max_tokens")
_DONE: Final = b"data: [DONE]\n\n"


class ChatCompletions(ObjectProtocol):
    """Chat completions, as OpenAI and most others serve them."""

    name = "chat"
    path = "chat/completions"
    answers_by = "choices"

    def read(self, body: bytes) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        parsed = read_request(body)
        request = parsed.document
        messages = read_messages(request)
        if not isinstance(request.get("stream_options", {}), dict | None):
            raise wrong("stream_options", "must be an object")
        answers = request.get("n")
        if answers is not None and (type(answers) is not int or not 1 <= answers <= _MOST_ANSWERS):
            raise wrong("n", f"must be a whole number from 1 to {_MOST_ANSWERS}")
        tools = request.get("tools")
        counted = {"model", "messages", "tools"}
        if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
            tools = []
            counted.discard("tools")
        return Asked(
            protocol=self,
            document=request,
            model=parsed.model,
            stream=parsed.stream,
            messages=messages,
            tools=tools,
            answers=answers or 1,
            output_limit=_output_limit(request),
            prompts=MOST_TURNS if request.get("web_search_options") is not None else 1,
            prompt_meter="audio_input_tokens" if _has_sound(messages) else "input_tokens",
            output_meter="audio_output_tokens" if _wants_sound(request) else "output_tokens",
            thinks=wants_thoughts(request),
            text_only=_is_text(messages),
            uncounted_bytes=uncounted_bytes(request, counted=counted),
        )

    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return what goes to a provider: the caller's request, and what the bill needs."""
        request = {**asked.document, "model": to.model}
        if to.output_cap is not None:
            request = _limited(request, to.output_limit, to.output_cap)
        if asked.stream and to.stream_usage:
            # Always requested, since it bills; passed on if the caller requested it too.
            wanted = request.get("stream_options") or {}
            request["stream_options"] = {**wanted, "include_usage": True}
        return request

    def reader(self, asked: Asked) -> Reader:
        """Return what reads a streamed answer."""
        return ChatReader(asked)

    def is_answer(self, document: Document) -> bool:
        """Return whether an object has choices."""
        return bool(choices_of(document))

    def failure(self, document: Document) -> Failure | None:
        """Return the error that an answer or a chunk is; None if it is none."""
        return failure_of(document)

    def usage(self, document: Document) -> Usage | None:
        """Return the usage; Groq's streams have it in a member of their own."""
        usage = read_usage(document.get("usage"))
        groq = document.get("x_groq")
        return read_usage(groq.get("usage")) if usage is None and isinstance(groq, dict) else usage

    def said(self, document: Document) -> Iterator[str]:
        """Yield what an answer says."""
        for choice in choices_of(document):
            yield from _said_in(choice)

    def error_event(self, error: FareboxError) -> bytes:
        """Return an error as the last event of a stream."""
        return b"data: " + openai_error(error) + b"\n\n"


def _chunks_of(whole: Document, *, include_usage: bool) -> list[Document]:
    """Return a whole answer as chunks: some providers don't stream."""
    kept = ("id", "created", "system_fingerprint", "model")
    head = {name: whole[name] for name in kept if name in whole}
    head["object"] = "chat.completion.chunk"
    chunks: list[Document] = [
        {
            **head,
            "choices": [
                {
                    "index": choice.get("index", place),
                    "delta": _as_delta(choice.get("message")),
                    "logprobs": choice.get("logprobs"),
                    "finish_reason": choice.get("finish_reason") or "stop",
                }
            ],
        }
        for place, choice in enumerate(choices_of(whole))
    ]
    if include_usage:
        chunks = [{**chunk, "usage": None} for chunk in chunks]
        chunks.append({**head, "choices": [], "usage": whole.get("usage")})
    return chunks


class ChatReader(ObjectReader):
    """Reads chunks; ``write`` and ``last`` say how the caller gets them."""

    def __init__(self, asked: Asked, *, include_usage: bool | None = None) -> None:
        super().__init__(asked)
        self._include_usage = includes_usage(asked) if include_usage is None else include_usage

    @property
    def spoken(self) -> ObjectProtocol:
        """Chat completions."""
        return CHAT

    def parse(self, data: bytes) -> list[object]:
        """Return the chunks of an event; what is no object says nothing."""
        try:
            documents = [loads(data)] if data != _DONE_DATA else [END]
        except ValueError:
            documents = _by_lines(data)
        return [each for each in documents if isinstance(each, dict) or each in (END, GARBAGE)]

    def last(self) -> bytes:
        """Return what ends a complete answer for the caller."""
        return _DONE

    def failure_in(self, document: Document, name: str) -> Failure | None:
        """Return the error that a chunk is, by itself or by the name of its event."""
        failure = failure_of(document)
        return Failure.of_error(document) if failure is None and name == "error" else failure

    def is_whole(self, document: Document) -> bool:
        """Return whether a chunk has messages."""
        choices = choices_of(document)
        return any("message" in choice and "delta" not in choice for choice in choices)

    def hear(self, document: Document) -> bytes:
        """Read a chunk; return what the caller gets of it."""
        return self.write(document) if self._read_chunk(document) else b""

    def pieces(self, document: Document) -> list[Document]:
        """Return a whole answer as chunks."""
        return _chunks_of(document, include_usage=self._include_usage)

    def write(self, document: Document) -> bytes:
        """Return a chunk as the caller gets it."""
        return b"data: " + dumps(document) + b"\n\n"

    def _read_chunk(self, chunk: Document) -> bool:
        """Read a chunk, and make it the caller's; return whether anything of it is."""
        self.answer_id = self.answer_id or text_of(chunk.get("id"))
        choices = choices_of(chunk)
        for choice in choices:
            self.answered = True
            self.said += _said_in(choice)
            self.thought_letters += len(thought_in(choice.get("delta")))
            # A provider that ends the stream after this without [DONE] has sent everything.
            self.finished = self.finished or choice.get("finish_reason") is not None
        self.committed = self.committed or self.finished or any(self.said)
        usage = self.spoken.usage(chunk)
        self.report(usage)
        if not isinstance(chunk.get("choices"), list):
            if usage is None:
                return False  # nothing that is known here: it may be the provider's own words
            chunk["choices"] = []
        chunk["model"] = self._asked.model
        if self._include_usage:
            chunk.setdefault("usage", None)
            return True
        chunk.pop("usage", None)
        return bool(choices) or usage is None


_DONE_DATA: Final = b"[DONE]"


def _by_lines(data: bytes) -> list[object]:
    """Return the documents of an event with one on each line, as if they were events of their own.

    Some providers leave out the empty lines between events.
    """
    documents: list[object] = []
    for line in data.split(b"\n"):
        try:
            documents.append(END if line.strip() == _DONE_DATA else loads(line))
        except ValueError:
            return [*documents, GARBAGE]
    return documents


def includes_usage(asked: Asked) -> bool:
    """Return whether the caller wants a stream's usage."""
    return bool((asked.document.get("stream_options") or {}).get("include_usage"))


def choices_of(document: Document) -> list[Document]:
    """Return the choices of an answer or a chunk."""
    choices = document.get("choices")
    given = choices if isinstance(choices, list) else []
    return [choice for choice in given if isinstance(choice, dict)]


def failure_of(document: Document) -> Failure | None:
    """Return the error that an answer or a chunk is, whatever its status was; None if it is none.

    OpenAI's and OpenRouter's have ``error``, vLLM's ``object: error``, and a choice may have ended
    by one.
    """
    if document.get("error"):
        return Failure.of_error(document["error"])
    if document.get("object") == "error":
        return Failure.of_error(document)
    for choice in choices_of(document):
        if choice.get("error") or choice.get("finish_reason") == "error":
            return Failure.of_error(choice.get("error"))
    return None


def _as_delta(message: object) -> Document:
    delta = dict(message) if isinstance(message, dict) else {}
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        delta["tool_calls"] = [
            {"index": place, **call} for place, call in enumerate(calls) if isinstance(call, dict)
        ]
    return delta


def _said_in(choice: Document) -> Iterator[str]:
    yield from spoken(choice.get("delta") or choice.get("message"))
    if isinstance(choice.get("text"), str):
        yield choice["text"]


def thought_in(delta: object) -> str:
    """Return the thought in a message, or in a part of one.

    Thoughts are ``reasoning`` with vLLM and OpenRouter, ``reasoning_content`` with DeepSeek and
    llama.cpp; who sends both sends the same twice.
    """
    if not isinstance(delta, dict):
        return ""
    thought = delta.get("reasoning") or delta.get("reasoning_content")
    return thought if isinstance(thought, str) else ""


def spoken(delta: object) -> Iterator[str]:
    """Yield what a message, or a part of one, says that a tokenizer can count."""
    if not isinstance(delta, dict):
        return
    audio = delta.get("audio")
    parts = [delta.get("content"), thought_in(delta), delta.get("refusal")]
    if isinstance(audio, dict):
        parts.append(audio.get("transcript"))
    calls = delta.get("tool_calls")
    for call in [
        *(calls if isinstance(calls, list) else []),
        {"function": delta.get("function_call")},
    ]:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            parts += [function.get("name"), function.get("arguments")]
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, list):  # Mistral's thoughts and texts come as parts
            for piece in part:
                if isinstance(piece, dict):
                    yield from texts_of({"content": [piece]})


def _limited(request: Document, name: str, cap: int) -> Document:
    """Return the request with a limit of its answer, which the provider enforces."""
    kept = {
        name: value
        for name, value in request.items()
        if name not in _OUTPUT_LIMITS or _is_limit(value)
    }
    # Only llama.cpp knows its own name: whoever else gets that alone would answer without a limit
    if not any(limit in kept for limit in _KNOWN_LIMITS):
        kept[name] = kept.get("n_predict", cap)
    return kept


def _output_limit(request: Mapping[str, Any]) -> int | None:
    given = [request[name] for name in _OUTPUT_LIMITS if _is_limit(request.get(name))]
    return max(given) if given else None


def _is_limit(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _has_sound(messages: list[Document]) -> bool:
    contents = [message.get("content") for message in messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return any(isinstance(part, dict) and part.get("type") == "input_audio" for part in parts)


def _wants_sound(request: Document) -> bool:
    modalities = request.get("modalities")
    return isinstance(modalities, list) and "audio" in modalities


def _is_text(messages: list[Document]) -> bool:
    contents = [message.get("content") for message in messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    # A message's sound stands for an earlier answer, by its name
    return not any(message.get("audio") for message in messages) and all(
        isinstance(part, dict) and part.get("type") in ("text", "refusal") for part in parts
    )


CHAT: Final = ChatCompletions()
