"""Server-sent events: the same events however the bytes are cut, in time linear in their number."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.gateway.sse import COMMENT, Event, EventParser, TooLong, WholeBody, parser_for

pytestmark = pytest.mark.fast


def events_of(*pieces: bytes) -> list[Event]:
    parser = EventParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.close()


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [Event(b"a"), Event(b"b")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [Event(b"a"), Event(b"b")]),
        (b"data: a\r\rdata: b\r\r", [Event(b"a"), Event(b"b")]),
        (b"data:a\n\n", [Event(b"a")]),
        (b'data: {"a":\ndata: 1}\n\n', [Event(b'{"a":\n1}')]),
        (b"\xef\xbb\xbfdata: a\n\n", [Event(b"a")]),
        (b": ping\n\ndata: a\n\n", [COMMENT, Event(b"a")]),
        (b":\n:\n", [COMMENT, COMMENT]),
        (b"event: error\ndata: a\n\ndata: b\n\n", [Event(b"a", "error"), Event(b"b")]),
        (b"event: ping\n\ndata: b\n\n", [Event(b"b")]),
        (b"id: 7\nretry: 3\nother\ndata: a\n\n", [Event(b"a")]),
        (b"data: a", [Event(b"a")]),
        (b"data: a\n", [Event(b"a")]),
        (b"data: \n\ndata\n\n\n\n", []),
        (b"", []),
        (b"<html>\n\n", []),
        ("data: ü€\n\n".encode(), [Event("ü€".encode())]),
        # Letters that end a line in other texts are a part of one here
        (b"data: a\x0b\x0c\x1c\xc2\x85b\n\n", [Event(b"a\x0b\x0c\x1c\xc2\x85b")]),
    ],
)
def test_events_are_read_as_the_standard_says(stream: bytes, events: list[Event]) -> None:
    assert events_of(stream) == events
    assert events_of(*(stream[place : place + 1] for place in range(len(stream)))) == events


@given(
    st.lists(
        st.sampled_from(
            [b"data: ", b"data:", b"event: x", b": c", b"\n", b"\r", b"\r\n", b"a", b" ", b"\xc3"]
        )
    ).map(b"".join),
    st.lists(st.integers(0, 200)),
)
def test_any_cut_of_the_bytes_gives_the_same_events(stream: bytes, places: list[int]) -> None:
    assert events_of(*cut(stream, places)) == events_of(stream)


@given(st.binary(), st.lists(st.integers(0, 50)))
def test_no_bytes_are_too_odd(stream: bytes, places: list[int]) -> None:
    assert events_of(*cut(stream, places)) == events_of(stream)


def test_a_long_line_takes_time_in_proportion_to_its_length() -> None:
    """The work of a line of 16 MB is at most some 16 times that of 1 MB, not 256 times."""

    def seconds(megabytes: int) -> float:
        pieces = [b"data: ", *[b"x" * 4096] * (256 * megabytes), b"\n\n"]
        began = time.process_time()
        (event,) = events_of(*pieces)
        assert len(event.data) == megabytes * 1024 * 1024
        return time.process_time() - began

    seconds(1)
    assert seconds(16) < 64 * max(seconds(1), 0.001)


def test_many_short_lines_of_one_event_are_no_more_work_than_one_long_one() -> None:
    pieces = [b"data: x\n"] * 50_000
    (event,) = events_of(*pieces)
    assert len(event.data) == 99_999


@pytest.mark.parametrize("piece", [b"data: xxx\n", b"xxxxxxxxxx"])
def test_an_event_without_end_is_refused(piece: bytes) -> None:
    parser = EventParser(longest_bytes=10_000)
    pieces = [piece] * 10_000
    with pytest.raises(TooLong):
        list(map(parser.feed, pieces))


def test_a_stream_may_be_longer_than_its_events() -> None:
    parser = EventParser(longest_bytes=100)
    assert sum(len(parser.feed(b"data: xxx\n\n")) for _ in range(1_000)) == 1_000


def test_an_answer_that_is_no_stream_is_one_event() -> None:
    parser = parser_for("application/json; charset=utf-8")
    assert isinstance(parser, WholeBody)
    assert parser.feed(b'{\n"a":') == []
    assert parser.feed(b" 1}\n") == []
    assert parser.close() == [Event(b'{\n"a": 1}')]
    assert isinstance(parser_for("text/event-stream"), EventParser)
    assert isinstance(parser_for(""), EventParser)
    with pytest.raises(TooLong):
        WholeBody(longest_bytes=3).feed(b"1234")
