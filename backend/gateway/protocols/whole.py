"""What protocols without streams have in common: an object in, one out, OpenAI's errors."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from backend.errors import FareboxError
from backend.gateway.protocols.base import (
    EMPTY,
    Answered,
    Asked,
    Document,
    Forwarding,
    Protocol,
    Reader,
)
from backend.gateway.protocols.chat import failure_of
from backend.gateway.protocols.openai_errors import openai_error
from backend.gateway.protocols.requests import read_answer
from backend.gateway.usage import Usage


class WholeOnly(Protocol):
    """Its ``read`` never says that a stream is asked for."""

    answers_by: ClassVar[str]
    """The member that an answer has; without it, it is none."""

    @abstractmethod
    def usage(self, document: Document) -> Usage | None:
        """Return what an answer used."""

    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return what goes to a provider."""
        return {**asked.document, "model": to.model}

    def answer(self, asked: Asked, content: bytes) -> Answered:
        """Read a whole answer."""
        document = read_answer(content)
        failure = failure_of(document)
        if failure is not None or not isinstance(document.get(self.answers_by), list):
            return Answered({}, failure=failure or EMPTY)
        if "model" in document:
            document["model"] = asked.model
        return Answered(document, self.usage(document))

    def error(self, error: FareboxError) -> bytes:
        """Return an error's body."""
        return openai_error(error)

    def reader(self, asked: Asked) -> Reader:
        """There is nothing to read piece by piece."""
        raise NotImplementedError(f"{asked.protocol.name} has no streams")

    def error_event(self, error: FareboxError) -> bytes:
        """There is no stream that an error could end."""
        raise NotImplementedError(error.code)
