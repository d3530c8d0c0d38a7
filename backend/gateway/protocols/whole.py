"""What protocols without streams have in common: an object in, one out, OpenAI's errors."""

from __future__ import annotations

from typing import ClassVar

from backend.errors import FareboxError
from backend.gateway.protocols.chat import failure_of
from backend.gateway.protocols.parts.answers import ObjectProtocol
from backend.gateway.protocols.parts.base import Asked, Document, Failure, Forwarding, Reader


class WholeOnly(ObjectProtocol):
    """Its ``read`` never says that a stream is asked for."""

    names_model: ClassVar[bool] = False

    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return what goes to a provider."""
        return {**asked.document, "model": to.model}

    def failure(self, document: Document) -> Failure | None:
        """Return the error that an answer is; None if it is none."""
        return failure_of(document)

    def reader(self, asked: Asked) -> Reader:
        """There is nothing to read piece by piece."""
        raise NotImplementedError(f"{asked.protocol.name} has no streams")

    def error_event(self, error: FareboxError) -> bytes:
        """There is no stream that an error could end."""
        raise NotImplementedError(error.code)
