"""Dead letters: what the worker could not count, to be read and then replayed or discarded.

They stay in a stream of their own until they are replayed or discarded. Replaying may be repeated
and interrupted: the letter is deleted only when the usage stream has acknowledged its events, and
an event's identity keeps it from counting twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from backend.kit.pages import Cursor, page_of
from backend.metering.errors import DeadLetterNotFound, DeadLetterUnreadable, QueueUnavailable
from backend.metering.events import AcceptedEvent, decode
from backend.metering.ingest.connection import STREAM_OUTAGES
from backend.metering.ingest.streams import dead_letter_stream, events_subject
from backend_client.types.common import Page, plain
from backend_client.types.dead_letters import DeadLetter, DeadLetterContent
from backend_client.types.events import EVENT_TYPE

REASON_HEADER: Final = "Farebox-Reason"
_SHOWN_BYTES = 64 * 1024


class DeadLetters:
    """The dead letters of one installation. Every method raises ``Unavailable`` without NATS."""

    def __init__(self, js: JetStreamContext, stream_name: str) -> None:
        self._js = js
        self._live = stream_name
        self._dead = dead_letter_stream(stream_name)

    async def count(self) -> int:
        """Return how many there are."""
        with _nats():
            return (await self._js.stream_info(self._dead)).state.messages

    async def page(self, *, cursor: str | None, limit: int) -> Page[DeadLetter]:
        """Return a page, oldest first."""
        after = 0 if cursor is None else Cursor.read_number(cursor)
        letters = [_summary(letter) async for letter in self._letters(after, limit + 1)]
        return page_of(letters, limit, lambda letter: str(letter.sequence))

    async def read(self, sequence: int) -> DeadLetterContent:
        """Return a letter with its content; raise ``NotFound``."""
        letter = await self._letter(sequence)
        events = _events(letter)
        text = (letter.data or b"")[:_SHOWN_BYTES].decode("utf-8", "replace")
        return DeadLetterContent(
            **_summary(letter).model_dump(),
            events=None if events is None else [_cloud_event(event) for event in events],
            text=text if events is None else None,
        )

    async def tenants(self, sequence: int) -> set[str]:
        """Return the ids of the tenants whose events are in a letter; raise ``NotFound``."""
        return {event.tenant_id for event in _events(await self._letter(sequence)) or ()}

    async def replay(self, sequence: int) -> int:
        """Publish a letter's message on the usage stream again; return how many events it has.

        Raises:
            NotFound: there is no such letter.
            InvalidInput: it can't be read, so it would be set aside again.
        """
        letter = await self._letter(sequence)
        events = _events(letter)
        if events is None:
            raise DeadLetterUnreadable()
        with _nats():
            await self._js.publish(
                events_subject(self._live),
                letter.data or b"",
                headers={"Nats-Msg-Id": f"replay-{self._dead}-{sequence}"},
            )
        await self.discard(sequence)
        return len(events)

    async def discard(self, sequence: int) -> None:
        """Delete a letter; raise ``NotFound``."""
        with _nats():
            try:
                await self._js.delete_msg(self._dead, sequence)
            except NotFoundError:
                raise DeadLetterNotFound() from None

    async def _letter(self, sequence: int) -> RawStreamMsg:
        with _nats():
            try:
                return await self._js.get_msg(self._dead, sequence)
            except NotFoundError:
                raise DeadLetterNotFound() from None

    async def _letters(self, after: int, most: int) -> AsyncIterator[RawStreamMsg]:
        sequence = after
        subject = events_subject(self._dead)
        for _ in range(most):
            with _nats():
                try:
                    letter = await self._js.get_msg(self._dead, sequence + 1, subject, next=True)
                except NotFoundError:
                    return
            sequence = letter.seq or 0
            yield letter


@contextmanager
def _nats() -> Iterator[None]:
    try:
        yield
    except STREAM_OUTAGES as error:
        raise QueueUnavailable() from error


def _events(letter: RawStreamMsg) -> list[AcceptedEvent] | None:
    try:
        return decode(letter.data or b"")
    except msgspec.DecodeError:
        return None


def _summary(letter: RawStreamMsg) -> DeadLetter:
    events = _events(letter)
    return DeadLetter(
        sequence=letter.seq or 0,
        reason=(letter.headers or {}).get(REASON_HEADER, "unknown"),
        set_aside_at=letter.time or datetime.now(UTC),
        size_bytes=len(letter.data or b""),
        event_count=None if events is None else len(events),
    )


def _cloud_event(event: AcceptedEvent) -> dict[str, Any]:
    """Return an event as it would be sent to ingest."""
    data: dict[str, Any] = {
        "application": event.application_id,
        "model": event.model,
        "quantities": _plain(event.quantities.items()),
    }
    if event.key_id:
        data["key"] = event.key_id
    if event.upstream:
        data["upstream"] = event.upstream
    if event.labels:
        data["labels"] = dict(event.labels)
    if event.counted is not None:
        data["counted"] = _plain(event.counted.items())
    return {
        "specversion": "1.0",
        "type": EVENT_TYPE,
        "id": event.id,
        "source": event.source,
        "subject": event.tenant_id,
        "time": event.time.isoformat(),
        "data": data,
    }


def _plain(quantities: Iterable[tuple[str, Any]]) -> dict[str, str]:
    return {meter: plain(quantity) for meter, quantity in quantities}
