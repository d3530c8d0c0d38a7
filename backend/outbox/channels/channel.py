"""The interface of channels, and the ways in which delivery can fail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from backend_client.types.notifications import ChannelName, NotificationEvent


class NotDelivered(Exception):
    """It was not delivered. ``final`` if a retry is useless; ``wait`` if the receiver asks for it.

    ``reason`` is shown to the operator, so it must not contain a secret.
    """

    def __init__(self, reason: str, *, final: bool = False, wait: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.wait = wait


class Pointless(Exception):
    """The notification is outdated, such as a reminder of a paid invoice."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Channel(Protocol):
    """A way to deliver. ``at_once`` is how many a worker sends over it at a time."""

    @property
    def name(self) -> ChannelName:
        """The channel's name."""

    @property
    def at_once(self) -> int:
        """How many a worker sends at a time."""

    def wants(self, event: NotificationEvent) -> bool:
        """Return whether the channel delivers this kind of event."""

    async def send(self, event: NotificationEvent) -> None:
        """Deliver; raise ``NotDelivered`` or ``Pointless``. The same event may be sent again."""

    async def close(self) -> None:
        """Close connections and processes."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a letter."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail; ``to`` are bare addresses."""

    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


class Letters(Protocol):
    """Writes letters to customers."""

    def wants(self, event: NotificationEvent) -> bool:
        """Return whether the customer gets a letter about this kind of event."""

    async def write(self, event: NotificationEvent) -> Letter:
        """Write a letter; raise ``NotDelivered`` without a recipient, or ``Pointless``."""

    async def close(self) -> None:
        """Close what the writer uses."""


def one_line(text: str, longest: int) -> str:
    """Return a text from outside as one line of printable letters, cut at ``longest``."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())[:longest]
