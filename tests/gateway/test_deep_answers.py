"""An answer of any depth that can be read is passed on: it was made, and it is billed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.gateway.protocols.chat import CHAT
from backend.gateway.protocols.messages import MESSAGES
from backend.gateway.protocols.parts.base import Forwarding, Protocol
from backend.gateway.protocols.parts.lenient_json import dumps
from backend.gateway.protocols.responses import RESPONSES
from backend.gateway.protocols.translation.chat_over_messages import CHAT_OVER_MESSAGES
from backend.gateway.protocols.translation.messages_over_chat import MESSAGES_OVER_CHAT
from backend.gateway.protocols.translation.responses_over_chat import RESPONSES_OVER_CHAT
from backend.gateway.sse import EventParser
from tests.gateway import chat_answers, message_answers, response_answers
from tests.gateway.conftest import MakeKey, Metered
from tests.support.flaky import FlakyServer, Reply

pytestmark = pytest.mark.fast

Counted = Callable[[int], Awaitable[list[Metered]]]
DEPTHS = (100, 250, 260, 500, 900, 1_000)
ASKED: Any = {
    "model": "m",
    "max_tokens": 9,
    "input": "hi",
    "messages": [{"role": "user", "content": "hi"}],
}


def nested(depth: int) -> bytes:
    return b"[" * depth + b"1" + b"]" * depth


def chat_answer(deep: bytes) -> bytes:
    """An answer that is deep itself, and whose tool is called with something as deep."""
    call = {"name": "look_up", "arguments": '{"a":<>}'}
    tool = {"id": "c", "type": "function", "function": call}
    message = {"role": "assistant", "content": "Hello there", "tool_calls": [tool]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls", "odd": "<>"}
    body = json.dumps({"id": "c1", "choices": [choice], "usage": chat_answers.USAGE}).encode()
    return body.replace(b'"<>"', deep).replace(b"<>", deep)


def message_answer(deep: bytes) -> bytes:
    """A message whose tool is called with something deep."""
    block = {"type": "tool_use", "id": "t", "name": "look_up", "input": {"a": "<>"}}
    return json.dumps(message_answers.message(content=[block])).encode().replace(b'"<>"', deep)


def response_answer(deep: bytes) -> bytes:
    """A response with something deep."""
    return json.dumps(response_answers.response(odd="<>")).encode().replace(b'"<>"', deep)


ANSWERS: list[tuple[Protocol, Callable[[bytes], bytes]]] = [
    (CHAT, chat_answer),
    (MESSAGES, message_answer),
    (RESPONSES, response_answer),
    (MESSAGES_OVER_CHAT, chat_answer),
    (RESPONSES_OVER_CHAT, chat_answer),
    (CHAT_OVER_MESSAGES, message_answer),
]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("protocol", "answer"), ANSWERS)
def test_a_deep_answer_is_written_as_it_was_read(
    protocol: Protocol, answer: Callable[[bytes], bytes], depth: int
) -> None:
    asked = protocol.read(orjson.dumps(ASKED))
    answered = protocol.answer(asked, answer(nested(depth)))
    assert answered.failure is None
    assert answered.usage is not None
    assert nested(depth) in dumps(answered.document)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("protocol", [CHAT, MESSAGES_OVER_CHAT, RESPONSES_OVER_CHAT])
def test_a_deep_part_of_a_stream_does_not_end_it(protocol: Protocol, depth: int) -> None:
    asked = protocol.read(orjson.dumps({**ASKED, "stream": True}))
    reader, parser = protocol.reader(asked), EventParser()
    stream = chat_answers.said("Hello", odd="<>").replace(b'"<>"', nested(depth))
    stream += chat_answers.said(" there", "stop", usage=chat_answers.USAGE) + chat_answers.DONE
    passed = b"".join(reader.feed(event) for event in parser.feed(stream)) + reader.last()
    assert (reader.failure, reader.finished) == (None, True)
    assert b"Hello" in passed
    assert b" there" in passed


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_request_whose_tool_was_called_with_something_deep_is_sent(depth: int) -> None:
    function = {"name": "f", "arguments": f'{{"a":{nested(depth).decode()}}}'}
    said = {"role": "assistant", "tool_calls": [{"id": "c", "function": function}]}
    body = orjson.dumps({**ASKED, "messages": [*ASKED["messages"], said]})
    for protocol in (CHAT, CHAT_OVER_MESSAGES):
        asked = protocol.read(body)
        sent, _ = protocol.encode(asked, protocol.forward(asked, Forwarding("theirs")))
        assert nested(depth) in sent


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([1, 300]))
def test_what_is_written_is_what_is_read(value: Any, depth: int) -> None:
    for _ in range(depth):
        value = {"a": [value, "b"]}
    written = dumps(value)
    for _ in range(depth):
        assert written.startswith(b'{"a":[')
        written = written.removeprefix(b'{"a":[').removesuffix(b',"b"]}')
        value = value["a"][0]
    assert json.loads(written) == value


@pytest.mark.engine
@pytest.mark.parametrize("stream", [False, True])
async def test_a_deep_answer_is_served_and_billed(
    url: str, make_key: MakeKey, provider: FlakyServer, metered: Counted, stream: bool
) -> None:
    deep = nested(900)
    answer = chat_answers.said("Hello there", "stop", usage=chat_answers.USAGE, odd="<>")
    body = answer + chat_answers.DONE if stream else chat_answer(deep)
    headers = chat_answers.EVENT_STREAM if stream else {}
    provider.replies = [Reply(body=body.replace(b'"<>"', deep), headers=headers)]
    asked = {"model": "sample-small", "messages": chat_answers.ASKED, "stream": stream}
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        answered = await client.post(
            "/v1/chat/completions",
            headers={"authorization": f"Bearer {await make_key()}"},
            json=asked,
        )
    assert answered.status_code == 200, answered.text
    assert deep in answered.content
    assert [event.quantities for event in await metered(1)] == [chat_answers.USED]
