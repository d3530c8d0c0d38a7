"""OpenAI's transcriptions and translations: sound that becomes text.

https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar, Final

from backend.errors import FareboxError
from backend.gateway.errors import InvalidRequest
from backend.gateway.protocols.chat import failure_of
from backend.gateway.protocols.openai_errors import openai_error
from backend.gateway.protocols.parts.answers import ObjectProtocol, ObjectReader
from backend.gateway.protocols.parts.base import (
    Answered,
    Asked,
    Document,
    Failure,
    Forwarding,
    Reader,
)
from backend.gateway.protocols.parts.forms import fields_of, read_form, write_form
from backend.gateway.protocols.parts.lenient_json import dumps
from backend.gateway.protocols.parts.requests import uncounted_bytes, wrong
from backend.gateway.protocols.subtitles import srt, vtt
from backend.gateway.usage import OPENAI_TRANSCRIPTIONS, Usage, read_usage, seconds_of

_FEWEST_BYTES_A_SECOND: Final = 750
"""Of sound that can be understood: Opus at 6 kbit/s."""
_ASKED_FOR: Final = {"text": "json", "srt": "verbose_json", "vtt": "verbose_json"}
"""What is asked of a provider for each format that has no place for a report of usage."""
_MEDIA_TYPES: Final = {
    "text": "text/plain; charset=utf-8",
    "srt": "text/plain; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}


class Transcriptions(ObjectProtocol):
    """Transcriptions: the seconds of the sound count, or the tokens where they are reported."""

    name = "transcriptions"
    path = "audio/transcriptions"
    answers_by = "text"
    names_model: ClassVar[bool] = False

    def read(self, body: bytes) -> Asked:
        """A form has no meaning without its content type; see ``receive``."""
        raise InvalidRequest("The body must be multipart/form-data.")

    def receive(self, body: bytes, content_type: str) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        fields, files = read_form(body, content_type)
        document: Document = {**fields_of(fields)}
        model = document.get("model")
        if not isinstance(model, str) or not model:
            raise wrong("model", "must be the name of a model")
        if [file.field for file in files] != ["file"] or not files[0].content:
            raise wrong("file", "must be one file, which is not empty")
        stream = str(document.get("stream", "false")).lower()
        if stream not in ("true", "false"):
            raise wrong("stream", "must be true or false")
        if stream == "true" and document.get("response_format") in _ASKED_FOR:
            raise wrong("response_format", "must be json where stream is true")
        return Asked(
            protocol=self,
            document=document,
            files=files,
            model=model,
            stream=stream == "true",
            texts=[],
            prompt_meter="audio_input_tokens",
            units={"audio_seconds": len(files[0].content) // _FEWEST_BYTES_A_SECOND + 1},
            text_only=False,
            uncounted_bytes=uncounted_bytes(document, counted=("model",)),
        )

    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return the fields that go to a provider."""
        document = {**asked.document, "model": to.model}
        form = asked.document.get("response_format")
        if isinstance(form, str) and form in _ASKED_FOR:
            document["response_format"] = _ASKED_FOR[form]
        return document

    def encode(self, asked: Asked, document: Document) -> tuple[bytes, str]:
        """Return the form that goes to a provider, and its content type."""
        return write_form(document, asked.files)

    def read_document(self, asked: Asked, document: Document) -> Answered:
        """Read a whole answer, and write it in the format that the caller wants."""
        answered = super().read_document(asked, document)
        form = asked.document.get("response_format")
        if answered.failure is None and isinstance(form, str) and form in _MEDIA_TYPES:
            answered.content = _written(form, document)
            answered.media_type = _MEDIA_TYPES[form]
        return answered

    def is_answer(self, document: Document) -> bool:
        """Return whether an object has a text."""
        return isinstance(document.get("text"), str)

    def failure(self, document: Document) -> Failure | None:
        """Return the error that an answer is; None if it is none."""
        return failure_of(document)

    def usage(self, document: Document) -> Usage | None:
        """Return the provider's report: of tokens, of seconds, or how long the sound is."""
        report = document.get("usage")
        seconds = seconds_of(report, "seconds") or seconds_of(document, "duration")
        reported = read_usage(report, OPENAI_TRANSCRIPTIONS)
        if reported is None and seconds is None:
            return None
        return replace(reported or Usage(0, 0), audio_seconds=seconds or Decimal(0))

    def said(self, document: Document) -> list[str]:
        """Return the text."""
        return [str(document["text"])]

    def reader(self, asked: Asked) -> Reader:
        """Return what reads a streamed text."""
        return _TranscriptReader(asked)

    def error_event(self, error: FareboxError) -> bytes:
        """Return an error as the last event of a stream."""
        return b"data: " + openai_error(error) + b"\n\n"


class Translations(Transcriptions):
    """Translations into English: as transcriptions, by another route."""

    name = "translations"
    path = "audio/translations"


class _TranscriptReader(ObjectReader):
    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._last = b""

    @property
    def spoken(self) -> ObjectProtocol:
        return TRANSCRIPTIONS

    def is_whole(self, document: Document) -> bool:
        return "type" not in document and isinstance(document.get("text"), str)

    def hear(self, document: Document) -> bytes:
        kind = document.get("type")
        if not isinstance(kind, str) or not kind.startswith("transcript."):
            return b""  # it may be the provider's own words
        self.answered = True
        if isinstance(document.get("delta"), str):
            self.said.append(document["delta"])
        self.committed = self.committed or any(self.said)
        if kind == "transcript.text.done":
            self.report(self.spoken.usage(document))
            self.committed = self.finished = self.ended = True
        return self.write(document)

    def pieces(self, document: Document) -> Iterator[Document]:
        yield {"type": "transcript.text.delta", "delta": document["text"]}
        yield {**document, "type": "transcript.text.done"}

    def write(self, document: Document) -> bytes:
        written = b"data: " + dumps(document) + b"\n\n"
        if document["type"] == "transcript.text.done":
            self._last = written
            return b""
        return written

    def last(self) -> bytes:
        return self._last


def _written(form: str, document: Document) -> bytes:
    segments: Any = document.get("segments")
    cues = segments if isinstance(segments, list) else []
    text = str(document["text"])
    if form == "text":
        return text.encode(errors="replace") + b"\n"
    return (srt if form == "srt" else vtt)(cues).encode(errors="replace")


TRANSCRIPTIONS: Final = Transcriptions()
TRANSLATIONS: Final = Translations()
