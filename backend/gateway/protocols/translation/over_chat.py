"""What protocols share that are served by an upstream which speaks chat completions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from backend.gateway.protocols.chat import CHAT
from backend.gateway.protocols.parts.base import Answered, Asked, Document, Forwarding, Protocol


class OverChat(Protocol):
    """Reads and answers another protocol; its upstreams get and send chats."""

    path = CHAT.path
    headers: ClassVar[Sequence[str]] = ()
    implied: ClassVar[Mapping[str, bool]] = {}

    def forward(self, asked: Asked, to: Forwarding) -> Document:
        """Return the chat that goes to a provider."""
        return CHAT.forward(replace(asked, document=self.as_chat(asked, to)), to)

    def answer(self, asked: Asked, content: bytes) -> Answered:
        """Read a whole chat completion."""
        answered = CHAT.answer(asked, content)
        if answered.failure is None:
            answered.document = self.from_chat(asked, answered)
        return answered

    @abstractmethod
    def as_chat(self, asked: Asked, to: Forwarding) -> Document:
        """Return a request as a chat."""

    @abstractmethod
    def from_chat(self, asked: Asked, answered: Answered) -> Document:
        """Return a chat completion as an answer of this protocol."""


def begun_chat(
    asked: Asked, to: Forwarding, messages: list[Document], *, same: Iterable[str]
) -> Document:
    """Return a chat of these messages, with the members that are the ``same`` in both protocols."""
    request = asked.document
    chat: Document = {
        "model": asked.model,
        "messages": messages,
        **{name: request[name] for name in same if request.get(name) is not None},
    }
    if asked.stream:
        chat["stream"] = True
    if asked.output_limit is not None:
        chat[to.output_limit] = asked.output_limit
    return chat
