"""What the protocols of JSON objects share: how an answer is read, whole or event by event."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from backend.errors import FareboxError
from backend.gateway.protocols.openai_errors import openai_error
from backend.gateway.protocols.parts.base import (
    EMPTY,
    UNREADABLE,
    Answered,
    Asked,
    Document,
    Failure,
    Protocol,
    Reader,
)
from backend.gateway.protocols.parts.lenient_json import dumps, loads
from backend.gateway.sse import Event
from backend.gateway.usage import Usage

BROKEN_OFF: Final = Failure("The model provider broke the stream off.")
END: Final = object()
"""What stands for the end of a stream, among the documents of an event."""
GARBAGE: Final = object()
"""What stands for something that is no JSON object."""


class ObjectProtocol(Protocol):
    """A protocol whose answers are JSON objects; its errors are OpenAI's, or its own."""

    answers_by: ClassVar[str]
    """The member, an array, that an answer has; without it, it is none."""
    names_model: ClassVar[bool] = True
    """Whether each answer names its model."""

    def answer(self, asked: Asked, content: bytes) -> Answered:
        """Read a whole answer."""
        try:
            document = loads(content)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            return Answered({}, failure=UNREADABLE)
        return self.read_document(asked, document)

    def read_document(self, asked: Asked, document: Document) -> Answered:
        """Read a whole answer that was parsed, and make it the caller's."""
        failure = self.failure(document)
        if failure is not None or not self.is_answer(document):
            return Answered({}, failure=failure or EMPTY)
        texts = list(self.said(document))
        if self.names_model or "model" in document:
            document["model"] = asked.model
        return Answered(document, self.usage(document), texts, tier=self.tier(document))

    def is_answer(self, document: Document) -> bool:
        """Return whether an object has what an answer has."""
        return isinstance(document.get(self.answers_by), list)

    @abstractmethod
    def failure(self, document: Document) -> Failure | None:
        """Return the error that an answer is, whatever its status was; None if it is none."""

    @abstractmethod
    def usage(self, document: Document) -> Usage | None:
        """Return what an answer used."""

    def tier(self, document: Document) -> object:
        """Return the tier of service that an answer says it was given."""
        return document.get("service_tier")

    def said(self, document: Document) -> Iterable[str]:
        """Return what an answer says that a tokenizer can count."""
        return ()

    def error(self, error: FareboxError) -> bytes:
        """Return an error's body."""
        return openai_error(error)


class ObjectReader(Reader):
    """Reads events that are JSON objects; a protocol says what they mean and how to write them."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._asked = asked

    def feed(self, event: Event) -> bytes:
        """Read an event; return what the caller gets of it, which may be nothing."""
        if self.ended:
            return b""
        return b"".join([self._read(document, event.name) for document in self.parse(event.data)])

    def _read(self, document: object, name: str) -> bytes:
        if self.ended:
            return b""
        if document is END:
            self.finished = self.ended = True
        elif not isinstance(document, dict):
            self.fail(BROKEN_OFF)
        elif (failure := self.failure_in(document, name)) is not None:
            # What was made until then is billed, and this may say how much that was
            self.report(self.spoken.usage(self.holder(document)))
            self.fail(failure)
        elif self.is_whole(document):
            return self._read_whole(document)
        else:
            self.tier = self.spoken.tier(self.holder(document)) or self.tier
            return self.hear(document)
        return b""

    def _read_whole(self, document: Document) -> bytes:
        """Stream a whole answer: some providers don't stream."""
        whole = self.spoken.read_document(self._asked, document)
        if whole.failure is not None:
            self.fail(whole.failure)
            return b""
        self.said += whole.said
        self.answer_id, self.tier = whole.answer_id, whole.tier
        self.report(whole.usage)
        self.answered = self.committed = self.finished = self.ended = True
        return b"".join(map(self.write, self.pieces(whole.document)))

    def parse(self, data: bytes) -> Sequence[object]:
        """Return the objects of an event, ``END`` and ``GARBAGE`` among them."""
        if data == b"[DONE]":
            return ()
        try:
            document = loads(data)
        except ValueError:
            return (GARBAGE,)
        return (document or GARBAGE,)

    @property
    @abstractmethod
    def spoken(self) -> ObjectProtocol:
        """The protocol that the provider answers in."""

    def failure_in(self, document: Document, name: str) -> Failure | None:
        """Return the error that an event of this name is; None if it is none."""
        return self.spoken.failure(document)

    def holder(self, document: Document) -> Document:
        """Return what of an event has the members that a whole answer has."""
        return document

    @abstractmethod
    def is_whole(self, document: Document) -> bool:
        """Return whether an event is an answer in one piece."""

    @abstractmethod
    def hear(self, document: Document) -> bytes:
        """Read a part of an answer; return what the caller gets of it."""

    @abstractmethod
    def pieces(self, document: Document) -> Iterable[Document]:
        """Return a whole answer as the parts of a stream."""

    @abstractmethod
    def write(self, document: Document) -> bytes:
        """Return a part as the caller gets it."""


def event_bytes(document: Document) -> bytes:
    """Return an event as OpenAI's responses and Anthropic send it: named by its type."""
    return b"event: " + str(document["type"]).encode() + b"\ndata: " + dumps(document) + b"\n\n"
