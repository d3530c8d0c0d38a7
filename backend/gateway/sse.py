"""Server-sent events, from bytes: linear in their number, however they are cut.

By https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream: lines end
with CR, LF or both, an event may have several lines of data, a line that begins with a colon is a
comment, a BOM may come first. Unlike there, an event whose last empty line is missing at the end of
the stream counts too: some providers leave it out, and what was generated is billed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LONGEST_EVENT_BYTES: Final = 64 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its data without line ends around it, and its name where it has one.

    A comment, which providers send to keep a connection open, is one without data.
    """

    data: bytes
    name: str = ""
    is_comment: bool = False


COMMENT: Final = Event(b"", is_comment=True)


class TooLong(ValueError):
    """An event is longer than ``LONGEST_EVENT_BYTES``."""


class WholeBody:
    """Takes an answer that is no stream for one event of a stream."""

    def __init__(self, *, longest_bytes: int = LONGEST_EVENT_BYTES) -> None:
        self._longest_bytes = longest_bytes
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[Event]:
        """Return nothing yet; raises ``TooLong``."""
        self._size += len(piece)
        if self._size > self._longest_bytes:
            raise TooLong(f"the answer has more than {self._longest_bytes} bytes")
        self._pieces.append(piece)
        return []

    def close(self) -> list[Event]:
        """Return the answer, if there is any."""
        body = b"".join(self._pieces).strip()
        return [Event(body)] if body else []


class EventParser:
    """Feed it the bytes of one stream as they come, and ``close`` it at their end."""

    def __init__(self, *, longest_bytes: int = LONGEST_EVENT_BYTES) -> None:
        self._longest_bytes = longest_bytes
        self._fragments: list[bytes] = []
        """The pieces of a line whose end has not come: joined once, when it comes."""
        self._fragments_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = ""
        self._after_cr = False
        self._first = True

    def feed(self, piece: bytes) -> list[Event]:
        """Return the events that ended with this piece; raises ``TooLong``."""
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]  # the second half of a CR LF
            self._after_cr = False
        if not piece:
            return []
        self._after_cr = piece.endswith(b"\r")
        lines = piece.splitlines()
        unfinished = None if piece.endswith((b"\n", b"\r")) else lines.pop()
        events: list[Event] = []
        for line in lines:
            if self._fragments:
                self._fragments.append(line)
                line = b"".join(self._fragments)
                self._fragments.clear()
                self._fragments_bytes = 0
            self._read(line, events)
        if unfinished is not None:
            self._fragments.append(unfinished)
            self._fragments_bytes += len(unfinished)
        if self._fragments_bytes + self._data_bytes > self._longest_bytes:
            raise TooLong(f"an event has more than {self._longest_bytes} bytes")
        return events

    def close(self) -> list[Event]:
        """Return the event that had begun when the stream ended, if any."""
        events: list[Event] = []
        if self._fragments:
            self._read(b"".join(self._fragments), events)
            self._fragments.clear()
        self._dispatch(events)
        return events

    def _read(self, line: bytes, events: list[Event]) -> None:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            self._dispatch(events)
        elif line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            self._data_bytes += len(line)
        elif line.startswith(b":"):
            events.append(COMMENT)
        elif line.startswith(b"event:"):
            self._name = line[6:].strip().decode("utf-8", "replace")
        elif line == b"data":
            self._data.append(b"")

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            if data := data.strip():
                events.append(Event(data, self._name))
            self._data.clear()
            self._data_bytes = 0
        self._name = ""


class RawPieces:
    """Takes each piece of an answer that is no events for one: sound, which has none."""

    def feed(self, piece: bytes) -> list[Event]:
        """Return the piece."""
        return [Event(piece)]

    def close(self) -> list[Event]:
        """Return nothing: all has been returned."""
        return []


def parser_for(content_type: str, *, is_raw: bool = False) -> EventParser | WholeBody | RawPieces:
    """Return what reads an answer: some providers answer in one piece where a stream was asked.

    ``is_raw`` is whether bytes were asked for: then events and JSON are what they say they are.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    is_json = media_type == "application/json" or media_type.endswith("+json")
    if is_raw and not is_json and media_type != "text/event-stream":
        return RawPieces()
    return WholeBody() if is_json else EventParser()
