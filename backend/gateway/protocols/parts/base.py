"""What the engine asks of a protocol, and the values that pass between the two."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from backend.errors import FareboxError
from backend.gateway.protocols.parts.forms import File
from backend.gateway.protocols.parts.lenient_json import dumps
from backend.gateway.sse import Event
from backend.gateway.usage import Usage, merged
from backend.metering.tokens.counts import Message, Tool

Document = dict[str, Any]
_LONGEST_ID: Final = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A caller's request, read and checked.

    ``headers`` are those of its request that concern the provider. ``texts`` are what is read as it
    is, where the protocol is no chat: then they are counted, and no ``messages``, and beside them
    ``token_inputs``, which were given as the numbers of tokens.

    ``document`` is all of it, as it came. What a tokenizer's rules can count of the prompt stands
    in ``messages`` and ``tools`` as chat completions have them; ``uncounted_bytes`` is the size, as
    JSON, of every other member that could be a part of the prompt. ``text_only`` tells whether it
    is without pictures, sound and files. ``output_limit`` is the longest answer in tokens that the
    caller wants, None without a limit, for each of ``answers``. ``prompts`` is how often the model
    may read a whole window for it: once for each of several inputs, or for each turn of a tool that
    the provider runs. ``prompt_meter`` and ``output_meter`` are the dearest that it can count in,
    beside those that stand for any part of a prompt or an answer; ``units`` is the most of other
    meters. ``files`` are those of a form, which are in no member of ``document``. ``is_raw`` is
    whether a streamed answer is no events but bytes, such as sound. ``thinks`` is whether it asks
    the model to think, which may go on unseen.
    """

    protocol: Protocol
    document: Document
    model: str
    stream: bool
    messages: Sequence[Message] = ()
    texts: Sequence[str] | None = None
    token_inputs: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    tools: Sequence[Tool] = ()
    answers: int = 1
    output_limit: int | None = None
    prompts: int = 1
    prompt_meter: str = "input_tokens"
    output_meter: str = "output_tokens"
    units: Mapping[str, int] = field(default_factory=dict)
    files: Sequence[File] = ()
    is_raw: bool = False
    thinks: bool = False
    text_only: bool = True
    uncounted_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Forwarding:
    """How a request is put to one upstream.

    ``model`` is the upstream's own name of it. ``output_cap`` is a limit in tokens that the answer
    must have if the caller gave none, sent by the name ``output_limit``. ``stream_usage`` tells
    whether a stream is asked for its usage.
    """

    model: str
    output_cap: int | None = None
    output_limit: str = "max_completion_tokens"
    stream_usage: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """An error within an answer of status 200, or an answer that can't be read.

    A provider's words are not passed on; ``code`` is for the log.
    """

    detail: str
    code: str | int | None = None

    @classmethod
    def of_error(cls, error: object) -> Self:
        """Return the failure that an ``error`` within an answer is."""
        code = error.get("code") if isinstance(error, dict) else None
        return cls(FAILED, code if isinstance(code, str | int) else None)


FAILED: Final = "The model provider failed in its answer."
UNREADABLE: Final = Failure("The model provider's answer could not be read.")
EMPTY: Final = Failure("The model provider answered nothing.")


@dataclass(slots=True)
class Answered:
    """A whole answer: what the caller gets, the provider's report, and what the model said."""

    document: Document
    usage: Usage | None = None
    said: list[str] = field(default_factory=list)
    failure: Failure | None = None
    tier: object = None
    """The tier of service that the provider says it used."""
    content: bytes | None = None
    """What the caller gets where that is no JSON, in ``media_type``."""
    media_type: str = "application/json"

    @property
    def answer_id(self) -> str | None:
        """The provider's id of the answer."""
        return text_of(self.document.get("id"))


def text_of(identifier: object) -> str | None:
    """Return an id that a provider gave, None if it is no text or too long to be one."""
    if isinstance(identifier, str) and 0 < len(identifier) <= _LONGEST_ID:
        return identifier if identifier.isascii() and identifier.isprintable() else None
    return None


class Reader(ABC):
    """Reads one streamed answer, event by event; a whole one comes as one event.

    ``finished`` is whether the answer is complete, ``ended`` whether nothing after it counts. It is
    ``committed`` once something was returned that a caller takes for a part of the answer, after
    which no other provider can be tried. ``thought_letters`` counts what it said of its thoughts.
    """

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.said: list[str] = []
        self.thought_letters = 0
        self.answered = False
        self.committed = False
        self.finished = False
        self.ended = False
        self.failure: Failure | None = None
        self.answer_id: str | None = None
        self.tier: object = None
        self.is_raw = False
        self.media_type = "text/event-stream"
        """The tier of service that the provider says it used."""

    def fail(self, failure: Failure) -> None:
        """End the answer: nothing after a failure counts."""
        self.finished, self.ended, self.failure = False, True, failure

    @property
    def hid_thoughts(self) -> bool | None:
        """Whether more was thought than was said of it; None if nothing was reported of thoughts.

        A token of a text that is shown whole has some four letters; summaries have far fewer.
        """
        if self.usage is None or not self.usage.reasoning:
            return None
        return self.thought_letters < self.usage.reasoning

    def report(self, usage: Usage | None) -> None:
        """Add a report of the provider's to those before it."""
        self.usage = merged(self.usage, usage)

    @abstractmethod
    def feed(self, event: Event) -> bytes:
        """Read an event; return what the caller gets of it, which may be nothing."""

    @abstractmethod
    def last(self) -> bytes:
        """Return what ends a complete answer for the caller."""


class Protocol(ABC):
    """One protocol. Stateless: the state of a stream is its ``Reader``'s."""

    name: ClassVar[str]
    """The word for it in ``speaks`` of an upstream's settings."""
    path: ClassVar[str]
    """Where providers serve it, under their ``base_url``."""
    headers: ClassVar[Sequence[str]] = ()
    """Names of a request's headers that concern the provider."""
    implied: ClassVar[Mapping[str, bool]] = {}
    """What providers take a request to say that leaves it out, where that has a price."""

    @abstractmethod
    def read(self, body: bytes) -> Asked:
        """Read a request; raises ``InvalidRequest`` naming the parameter."""

    def receive(self, body: bytes, content_type: str) -> Asked:
        """Read a request of a content type; raises as ``read`` does."""
        return self.read(body)

    def encode(self, asked: Asked, document: Document) -> tuple[bytes, str]:
        """Return what ``forward`` says as a body, and its content type."""
        return dumps(document), "application/json"

    @abstractmethod
    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return what goes to a provider."""

    @abstractmethod
    def answer(self, asked: Asked, content: bytes) -> Answered:
        """Read a whole answer."""

    @abstractmethod
    def reader(self, asked: Asked) -> Reader:
        """Return what reads a streamed answer."""

    @abstractmethod
    def error(self, error: FareboxError) -> bytes:
        """Return an error's body."""

    @abstractmethod
    def error_event(self, error: FareboxError) -> bytes:
        """Return an error as the last event of a stream."""
