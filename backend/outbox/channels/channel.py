"""What a way to deliver is, and the ways in which it can fail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from backend_client.types.notifications import ChannelName, NotificationEvent


class NotDelivered(Exception):
    """It was not taken. ``final`` if trying again is in vain; ``wait`` if the receiver asks for it.

    ``reason`` is shown to the operator: it must hold no secret.
    """

    def __init__(self, reason: str, *, final: bool = False, wait: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.wait = wait


class Pointless(Exception):
    """There is nothing to tell any more, such as that a paid invoice is overdue."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Channel(Protocol):
    """One way to deliver. ``at_once`` is how many a worker sends over it at a time."""

    @property
    def name(self) -> ChannelName:
        """Which one it is."""

    @property
    def at_once(self) -> int:
        """How many go at a time."""

    def wants(self, event: NotificationEvent) -> bool:
        """Tell whether this kind of thing goes this way at all."""

    async def send(self, event: NotificationEvent) -> None:
        """Deliver; raise ``NotDelivered`` or ``Pointless``. May come again for the same event."""

    async def close(self) -> None:
        """Let go of connections and processes."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a letter."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail as it is to be read; ``to`` are bare addresses."""

    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


class Letters(Protocol):
    """Writes what a customer is told."""

    def wants(self, event: NotificationEvent) -> bool:
        """Tell whether the customer is told of this kind of thing."""

    async def write(self, event: NotificationEvent) -> Letter:
        """Write a letter; raise ``NotDelivered`` without a recipient, or ``Pointless``."""

    async def close(self) -> None:
        """Let go of what it holds."""


def one_line(text: str, longest: int) -> str:
    """Return a text from outside as one line of printable letters, cut at ``longest``."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())[:longest]
