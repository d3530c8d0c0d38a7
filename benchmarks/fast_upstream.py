"""A provider that costs next to nothing: fixed bytes over asyncio, plain or streamed.

python -m benchmarks.fast_upstream PORT [--pause SECONDS]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from functools import partial
from typing import cast

import uvloop

CHUNKS = 32
_USAGE = {"prompt_tokens": 12, "completion_tokens": CHUNKS, "total_tokens": 12 + CHUNKS}
_HEAD = {"id": "c1", "created": 1, "model": "fast"}


def _plain() -> bytes:
    message = {"role": "assistant", "content": " word" * CHUNKS}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
    body = json.dumps(answer).encode()
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
        + str(len(body)).encode()
        + b"\r\n\r\n"
        + body
    )


def _events() -> list[bytes]:
    chunks = []
    for number in range(CHUNKS):
        finish = "stop" if number == CHUNKS - 1 else None
        choice = {"index": 0, "delta": {"content": " word"}, "finish_reason": finish}
        chunks.append({**_HEAD, "object": "chat.completion.chunk", "choices": [choice]})
    chunks.append({**_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
    events = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
    return [*events, b"data: [DONE]\n\n"]


PLAIN = _plain()
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
EVENTS = [b"%x\r\n%b\r\n" % (len(event), event) for event in _events()]
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class FastProvider(asyncio.Protocol):
    """Answers whatever it is asked, one request after another on a kept connection.

    ``pause_seconds`` is between the events of a stream, which come at once if it is 0.
    """

    def __init__(self, *, pause_seconds: float = 0.0) -> None:
        self._pause_seconds = pause_seconds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is of its own kind
        self._taken = b""

    def data_received(self, data: bytes) -> None:
        self._taken += data
        while b"\r\n\r\n" in self._taken:
            head, _, rest = self._taken.partition(b"\r\n\r\n")
            length_header = _LENGTH.search(head)
            length = int(length_header.group(1)) if length_header else 0
            if len(rest) < length:
                return
            self._taken = rest[length:]
            streams = re.search(rb'"stream": *true', rest[:length])
            self._answer(streamed=streams is not None)

    def _answer(self, *, streamed: bool) -> None:
        if not streamed:
            self._transport.write(PLAIN)
            return
        self._transport.write(STREAM_HEAD)
        if self._pause_seconds:
            self._send_from(0)
            return
        for event in EVENTS:  # each on its own, as they come from a model
            self._transport.write(event)
        self._transport.write(b"0\r\n\r\n")

    def _send_from(self, place: int) -> None:
        if self._transport.is_closing():
            return
        if place == len(EVENTS):
            self._transport.write(b"0\r\n\r\n")
            return
        self._transport.write(EVENTS[place])
        loop = asyncio.get_running_loop()
        loop.call_later(self._pause_seconds, self._send_from, place + 1)


async def serve(port: int, pause_seconds: float) -> None:
    """Serve on loopback until killed."""
    server = await asyncio.get_running_loop().create_server(
        partial(FastProvider, pause_seconds=pause_seconds), "127.0.0.1", port, backlog=2_000
    )
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two events")
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.port, arguments.pause))
