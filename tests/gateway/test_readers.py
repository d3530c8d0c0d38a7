"""A stream may end at any byte: what was said and reported until then is known, and no more."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backend.gateway.protocols.chat import CHAT
from backend.gateway.protocols.completions import COMPLETIONS
from backend.gateway.protocols.messages import MESSAGES
from backend.gateway.protocols.parts.base import Protocol, Reader
from backend.gateway.protocols.responses import RESPONSES
from backend.gateway.sse import Event, EventParser
from tests.gateway import chat_answers, message_answers, response_answers

pytestmark = pytest.mark.fast

ASKED: Any = {"model": "m", "stream": True, "max_tokens": 9, "input": "hi", "prompt": "hi"}
BODY = json.dumps({**ASKED, "messages": [{"role": "user", "content": "hi"}]}).encode()
CHAT_STREAM = (
    chat_answers.said("Hello"),
    chat_answers.said(" there", "stop"),
    chat_answers.chunk(choices=[], usage=chat_answers.USAGE),
    chat_answers.DONE,
)
STREAMS: dict[str, tuple[Protocol, bytes, str]] = {
    "chat": (CHAT, b"".join(CHAT_STREAM), "Hello there"),
    "messages": (
        MESSAGES,
        b"".join(message_answers.STREAM),
        'Be kind.Hello therelook_up{"word": "sea"}',
    ),
    "responses": (RESPONSES, b"".join(response_answers.STREAM), "Hello there"),
}


def read(protocol: Protocol, *pieces: bytes) -> tuple[Reader, bytes]:
    """Read a stream that comes in pieces; return its reader and what was passed on."""
    reader, parser = protocol.reader(protocol.read(BODY)), EventParser()
    passed = [reader.feed(event) for piece in pieces for event in parser.feed(piece)]
    passed += [reader.feed(event) for event in parser.close()]
    return reader, b"".join(passed)


@pytest.mark.parametrize(("protocol", "stream", "said"), STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_that_is_cut_at_any_byte_has_said_what_came(
    protocol: Protocol, stream: bytes, said: str
) -> None:
    whole, passed = read(protocol, stream)
    assert "".join(whole.said) == said
    assert whole.finished
    assert whole.usage is not None
    for place in range(len(stream)):
        cut, passed_by_then = read(protocol, stream[:place])
        # A line that is cut within its JSON breaks the stream off, which is told
        assert passed.startswith(passed_by_then)
        assert said.startswith("".join(cut.said))
        if cut.usage is not None and not cut.finished:
            assert cut.usage.quantities().items() <= (
                whole.usage.quantities().items() | {("output_tokens", 1)}
            )
        if cut.committed:
            assert any(cut.said) or cut.finished
        assert not (cut.finished and cut.failure)


@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(0, 3_000), max_size=8))
def test_any_cut_of_the_bytes_passes_the_same_on(name: str, places: list[int]) -> None:
    protocol, stream, _ = STREAMS[name]
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    pieced, whole = read(protocol, *pieces), read(protocol, stream)
    assert pieced[1] == whole[1]
    assert (pieced[0].usage, pieced[0].said) == (whole[0].usage, whole[0].said)


MEMBERS = [
    *("type", "choices", "delta", "message", "content", "usage", "response", "index"),
    *("tool_calls", "function", "error", "output", "content_block", "item", "text"),
]
odd_json = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(MEMBERS),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@example(MESSAGES, [{"type": []}])
@given(st.sampled_from([CHAT, COMPLETIONS, MESSAGES, RESPONSES]), st.lists(odd_json, max_size=4))
def test_no_event_is_too_odd(protocol: Protocol, events: list[Any]) -> None:
    reader = protocol.reader(protocol.read(BODY))
    for event in events:
        reader.feed(Event(json.dumps(event).encode()))
        protocol.answer(protocol.read(BODY), json.dumps(event).encode())
