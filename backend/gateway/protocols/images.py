"""OpenAI's images: pictures made from a text, or from others.

https://platform.openai.com/docs/api-reference/images/create,
https://platform.openai.com/docs/api-reference/images-streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Final

from backend.errors import FareboxError
from backend.gateway.protocols.chat import failure_of
from backend.gateway.protocols.openai_errors import openai_error
from backend.gateway.protocols.parts.answers import ObjectProtocol, ObjectReader, event_bytes
from backend.gateway.protocols.parts.base import Asked, Document, Failure, Forwarding, Reader
from backend.gateway.protocols.parts.requests import (
    Request,
    read_limit,
    read_request,
    uncounted_bytes,
    wrong,
)
from backend.gateway.usage import OPENAI_IMAGES, Usage, read_usage

_MOST_IMAGES: Final = 10
_PARTS: Final = ("partial_image", "completed")


class Images(ObjectProtocol):
    """Pictures, which count by themselves beside the tokens that some providers report of them."""

    name = "images"
    path = "images/generations"
    answers_by = "data"
    names_model: ClassVar[bool] = False
    events: ClassVar[str] = "image_generation"
    """What the names of its events begin with."""

    def read(self, body: bytes) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        return self.read_pictures(read_request(body))

    def read_pictures(self, parsed: Request) -> Asked:
        """Return a request whose object was read; raises ``InvalidRequest``."""
        request = parsed.document
        prompt = request.get("prompt")
        if not isinstance(prompt, str) or not prompt:
            raise wrong("prompt", "must be a text")
        images = read_limit(request, "n", most=_MOST_IMAGES) or 1
        if parsed.stream and images > 1:
            raise wrong("n", "must be 1 where stream is true")
        return Asked(
            protocol=self,
            document=request,
            model=parsed.model,
            stream=parsed.stream,
            texts=[prompt],
            answers=images,
            output_meter="image_output_tokens",
            units={"images": images},
            uncounted_bytes=uncounted_bytes(request, counted=("model", "prompt")),
        )

    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return what goes to a provider."""
        return {**asked.document, "model": to.model}

    def failure(self, document: Document) -> Failure | None:
        """Return the error that an answer or an event is; None if it is none."""
        return failure_of(document)

    def usage(self, document: Document) -> Usage | None:
        """Return the provider's report of tokens, none if it has none, and how many pictures."""
        reported = read_usage(document.get("usage"), OPENAI_IMAGES) or Usage(0, 0)
        pictures = document.get("data")
        return replace(reported, images=len(pictures) if isinstance(pictures, list) else 0)

    def reader(self, asked: Asked) -> Reader:
        """Return what reads a streamed picture."""
        return _PictureReader(asked, self)

    def error_event(self, error: FareboxError) -> bytes:
        """Return an error as the last event of a stream."""
        return b"event: error\ndata: " + openai_error(error) + b"\n\n"


class _PictureReader(ObjectReader):
    def __init__(self, asked: Asked, protocol: Images) -> None:
        super().__init__(asked)
        self._protocol = protocol

    @property
    def spoken(self) -> ObjectProtocol:
        return self._protocol

    def is_whole(self, document: Document) -> bool:
        return isinstance(document.get("data"), list)

    def hear(self, document: Document) -> bytes:
        events, _, part = str(document.get("type")).partition(".")
        if events != self._protocol.events or part not in _PARTS:
            return b""  # it may be the provider's own words
        self.answered = self.committed = True
        if part == "completed":
            reported = self.spoken.usage(document)
            self.report(None if reported is None else replace(reported, images=1))
            self.finished = self.ended = True
        return self.write(document)

    def pieces(self, document: Document) -> Iterator[Document]:
        others = {name: value for name, value in document.items() if name != "data"}
        for picture in document["data"]:
            if isinstance(picture, dict):
                yield {"type": f"{self._protocol.events}.completed", **others, **picture}

    def write(self, document: Document) -> bytes:
        return event_bytes(document)

    def last(self) -> bytes:
        return b""


IMAGES: Final = Images()
