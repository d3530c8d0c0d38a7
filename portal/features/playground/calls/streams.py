"""Answers while they come in: read from the API, and handed on to the browser that waits for them.

A page's state is sent whole with every change, so a long answer that came by it would be sent again
with each of its words. A tab reads its answers by an address of their own instead; the state gets
them once, at their end. They live in this process, as the tab's websocket does.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from backend_client import AsyncFareboxClient, ClientError
from portal.features.playground.conversation.transcript import ToolCall

FLUSH_SECONDS: Final = 0.04
"""Pieces reach the browser 25 times a second at most, however fast the model is."""
MOST_CALLS: Final = 64
PIECE_END: Final = "\x1f"
"""Ends each piece of a text: the unit separator, which no text has use for."""
_SEEN: Final = "\u241f"
"""Stands for one that a text has nevertheless, until the whole answer is there."""


@dataclass
class Arriving:
    """An answer as its stream has brought it so far.

    ``pieces`` are its text as it came, a token each as a rule. ``usage`` is the provider's report,
    empty until it comes. ``code`` is why it failed, with a ``problem`` in a sentence.
    """

    owner: str
    pieces: list[str] = field(default_factory=list)
    calls: dict[int, ToolCall] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    finish: str = ""
    problem: str = ""
    code: str = ""
    began: float = field(default_factory=time.monotonic)
    first: float | None = None
    ended: float | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def text(self) -> str:
        """All of the text that has come."""
        return "".join(self.pieces)

    @property
    def first_seconds(self) -> float | None:
        """How long the first token took; None if there was none."""
        return None if self.first is None else self.first - self.began

    @property
    def seconds(self) -> float:
        """How long it has taken, to its end if that has come."""
        return (self.ended or time.monotonic()) - self.began

    def take(self, chunk: dict[str, Any]) -> None:
        """Add what a chunk of the stream brings."""
        for choice in chunk.get("choices") or []:
            delta = choice.get("delta") or {}
            text = delta.get("content") or ""
            calls = delta.get("tool_calls") or []
            if text:
                self.pieces.append(text)
            for call in calls:
                self._take_call(call)
            if (text or calls) and self.first is None:
                self.first = time.monotonic()
            self.finish = choice.get("finish_reason") or self.finish
        if usage := chunk.get("usage"):
            self.usage = usage
        self._changed.set()

    def _take_call(self, part: dict[str, Any]) -> None:
        place = part.get("index", 0)
        if place not in self.calls and len(self.calls) >= MOST_CALLS:
            return
        function = part.get("function") or {}
        before = self.calls.get(place, ToolCall("", "", ""))
        self.calls[place] = ToolCall(
            id=part.get("id") or before.id,
            name=before.name + (function.get("name") or ""),
            arguments=before.arguments + (function.get("arguments") or ""),
        )

    def end(self) -> None:
        """Nothing more comes."""
        self.ended = self.ended or time.monotonic()
        self._changed.set()

    async def flushes(self) -> AsyncIterator[str]:
        """The text's pieces as they come, from the first, each with one byte that ends it."""
        sent = 0
        while True:
            self._changed.clear()
            if len(self.pieces) > sent:
                fresh = (piece.replace(PIECE_END, _SEEN) for piece in self.pieces[sent:])
                yield "".join(piece + PIECE_END for piece in fresh)
                sent = len(self.pieces)
            elif self.ended is not None:
                return
            else:
                await self._changed.wait()
                continue
            await asyncio.sleep(0 if self.ended is not None else FLUSH_SECONDS)


class Streams:
    """The answers that come in now, by tickets that nobody can guess."""

    def __init__(self) -> None:
        self._arriving: dict[str, Arriving] = {}

    def open(self, owner: str) -> tuple[str, Arriving]:
        """Begin an answer for whom ``owner`` names; return its ticket too."""
        ticket, arriving = secrets.token_urlsafe(18), Arriving(owner)
        self._arriving[ticket] = arriving
        return ticket, arriving

    def find(self, ticket: str, owner: str) -> Arriving | None:
        """An answer of that owner's; None for another's, and once it has been closed."""
        arriving = self._arriving.get(ticket)
        return arriving if arriving is not None and arriving.owner == owner else None

    def close(self, ticket: str) -> None:
        """The answer has ended. Who reads it still reads it to its end."""
        if arriving := self._arriving.pop(ticket, None):
            arriving.end()


streams = Streams()


async def read(client: AsyncFareboxClient, body: dict[str, Any], arriving: Arriving) -> None:
    """Ask, and read the answer to its end. A failure is noted in ``arriving``."""
    stream = client.chat.stream(**body, stream_options={"include_usage": True})
    try:
        async with contextlib.aclosing(stream) as chunks:
            async for chunk in chunks:
                arriving.take(chunk)
    except ClientError as problem:
        arriving.problem = str(problem)
        arriving.code = problem.code or ""
    finally:
        arriving.end()
