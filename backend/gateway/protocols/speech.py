"""OpenAI's speech: a text read aloud. The sound goes through as it comes.

https://platform.openai.com/docs/api-reference/audio/createSpeech
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from backend.errors import FareboxError
from backend.gateway.protocols.chat import failure_of
from backend.gateway.protocols.openai_errors import openai_error
from backend.gateway.protocols.parts.answers import BROKEN_OFF
from backend.gateway.protocols.parts.base import (
    EMPTY,
    UNREADABLE,
    Answered,
    Asked,
    Document,
    Forwarding,
    Protocol,
    Reader,
)
from backend.gateway.protocols.parts.lenient_json import dumps, loads
from backend.gateway.protocols.parts.requests import read_request, uncounted_bytes, wrong
from backend.gateway.sse import Event
from backend.gateway.usage import OPENAI_SPEECH, Usage, read_usage

_EVENTS: Final = frozenset({"speech.audio.delta", "speech.audio.done"})


class Speech(Protocol):
    """Speech: its characters count, and the tokens that some models report in a stream of events.

    Sound is bytes without a place for an error: what breaks off is cut off.
    """

    name = "speech"
    path = "audio/speech"

    def read(self, body: bytes) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""
        parsed = read_request(body)
        request = parsed.document
        text = request.get("input")
        if not isinstance(text, str) or not text:
            raise wrong("input", "must be a text")
        form = request.get("stream_format", "audio")
        if form not in ("audio", "sse", None):
            raise wrong("stream_format", "must be audio or sse")
        return Asked(
            protocol=self,
            document=request,
            model=parsed.model,
            stream=True,
            is_raw=form != "sse",
            texts=[text],
            output_meter="audio_output_tokens",
            units={"characters": len(text)},
            uncounted_bytes=uncounted_bytes(request, counted=("model", "input")),
        )

    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return what goes to a provider."""
        return {**asked.document, "model": to.model}

    def answer(self, asked: Asked, content: bytes) -> Answered:
        """There is no answer that is read as a whole."""
        raise NotImplementedError(f"{self.name} is always streamed")

    def reader(self, asked: Asked) -> Reader:
        """Return what passes the sound on."""
        return _SpeechReader(asked)

    def error(self, error: FareboxError) -> bytes:
        """Return an error's body."""
        return openai_error(error)

    def error_event(self, error: FareboxError) -> bytes:
        """Return an error as the last event of a stream of events."""
        return b"data: " + openai_error(error) + b"\n\n"


class _SpeechReader(Reader):
    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._characters = int(asked.units["characters"])

    def feed(self, event: Event) -> bytes:
        if self.ended:
            return b""
        if not self.is_raw:
            return self._read(event.data)
        self._begin()
        # Sound has no end of its own: it is whole when the provider's answer is
        self.finished = True
        return event.data

    def last(self) -> bytes:
        return b""

    def _read(self, data: bytes) -> bytes:
        """Read an event, or the error that came in place of sound."""
        if data == b"[DONE]":
            return b""
        try:
            document = loads(data)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            self.fail(BROKEN_OFF if self.committed else UNREADABLE)
            return b""
        failure = failure_of(document)
        kind = document.get("type")
        if failure is not None or not isinstance(kind, str):
            self.fail(failure or EMPTY)
            return b""
        if kind not in _EVENTS:
            return b""  # it may be the provider's own words
        self._begin()
        reported = read_usage(document.get("usage"), OPENAI_SPEECH)
        if reported is not None:
            self.report(replace(reported, characters=self._characters))
        if kind == "speech.audio.done":
            self.finished = self.ended = True
        return b"data: " + dumps(document) + b"\n\n"

    def _begin(self) -> None:
        """Note that there is an answer: providers bill the whole text, however much is heard."""
        if not self.committed:
            self.answered = self.committed = True
            self.report(Usage(0, 0, characters=self._characters))


SPEECH: Final = Speech()
