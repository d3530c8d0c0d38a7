"""A model provider on a real port that does what its caller's last message asks: ``do:cut``.

Its good answers are those of OpenAI's published chat completions; each other is a way in which a
provider was seen to answer. It knows what it was asked, what it would bill, and who left.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from time import time
from types import TracebackType
from typing import Any, Self

USAGE = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}
TEXT = "Hello there"
SECRET_WORDS = "their-secret"
"""In every message of the provider's that is not the customer's to read."""


@dataclass
class Asked:
    """One request that came, and how it went on."""

    path: str
    headers: dict[str, str]
    document: dict[str, Any]
    does: str
    left: bool = False
    """Whether the connection was closed before the answer was whole."""
    done: bool = False


@dataclass
class Exchange:
    """A request and the way to answer it."""

    asked: Asked
    argument: str
    double: ProviderDouble
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    closes: bool = field(default=False)

    @property
    def streams(self) -> bool:
        return bool(self.asked.document.get("stream"))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def whole(
        self,
        body: bytes | dict[str, Any] | list[Any],
        status: int = 200,
        *,
        kind: str = "application/json",
        cut: int | None = None,
        **headers: str,
    ) -> None:
        """Answer in one piece; ``cut`` closes the connection after so many bytes of the body."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(data)}"]
        head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join([*head, "", ""]).encode() + data[:cut])
        self.closes = self.closes or cut is not None

    async def head(self, status: int = 200, kind: str = "text/event-stream") -> None:
        """Begin an answer that ends with the connection."""
        await self.send(
            f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode()
        )
        self.closes = True

    async def stream(self, *parts: bytes, status: int = 200) -> None:
        """Stream the parts one by one."""
        await self.head(status)
        for part in parts:
            await self.send(part)
            await asyncio.sleep(0)

    async def stream_on(self, *parts: bytes) -> None:
        """Go on with a stream that has begun."""
        for part in parts:
            await self.send(part)

    async def wait(self) -> None:
        """Wait until the caller leaves, or the double lets everything go on."""
        waits = [
            asyncio.ensure_future(self.reader.read(1)),
            asyncio.ensure_future(self.double.released.wait()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for waiting in waits:
            waiting.cancel()


Behavior = Callable[[Exchange], Awaitable[None]]
BEHAVIORS: dict[str, Behavior] = {}


def answer(text: str = TEXT, **members: Any) -> dict[str, Any]:
    """A whole answer."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "their-own-name",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
        **members,
    }


def chunk(end: bytes = b"\n\n", **members: Any) -> bytes:
    """An event of a stream."""
    common = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "their-own-name",
    }
    return b"data: " + json.dumps(common | members).encode() + end


def said(text: str, finish: str | None = None, **members: Any) -> bytes:
    """A chunk that says something."""
    return chunk(
        choices=[{"index": 0, "delta": {"content": text}, "finish_reason": finish}], **members
    )


ROLE = chunk(choices=[{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}])
FIRST, SECOND = said("Hello"), said(" there", "stop")
LAST = chunk(choices=[], usage=USAGE)
DONE = b"data: [DONE]\n\n"
GOOD = (ROLE, FIRST, SECOND, LAST, DONE)


def behavior(does: Behavior) -> Behavior:
    """Register a behavior by its function's name."""
    BEHAVIORS[does.__name__.strip("_")] = does
    return does


def _error(message: str = SECRET_WORDS, **members: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "server_error", **members}}


def _register_statuses() -> None:
    for status in (301, 401, 402, 403, 404, 408, 409, 418, 500, 501, 502, 503, 504, 520, 529):

        async def refuse(exchange: Exchange, status: int = status) -> None:
            await exchange.whole(_error(), status)

        BEHAVIORS[str(status)] = refuse
    for status in (400, 413, 415, 422):

        async def concern(exchange: Exchange, status: int = status) -> None:
            await exchange.whole(_error("No such role", param="messages", code="bad"), status)

        BEHAVIORS[str(status)] = concern


_register_statuses()


@behavior
async def ok(exchange: Exchange) -> None:
    if exchange.streams:
        await exchange.stream(*GOOD)
    else:
        await exchange.whole(answer())


@behavior
async def created(exchange: Exchange) -> None:
    """Some answer 201 to a POST."""
    if exchange.streams:
        await exchange.stream(*GOOD, status=201)
    else:
        await exchange.whole(answer(), 201)


@behavior
async def busy(exchange: Exchange) -> None:
    """429, with retry-after as the argument says."""
    given = {"retry_after": exchange.argument} if exchange.argument else {}
    await exchange.whole(_error(), 429, **given)


@behavior
async def busy_date(exchange: Exchange) -> None:
    await exchange.whole(_error(), 429, retry_after=formatdate(time() + 30, usegmt=True))


@behavior
async def busy_ms(exchange: Exchange) -> None:
    await exchange.whole(_error(), 429, retry_after_ms="2500")


@behavior
async def quota(exchange: Exchange) -> None:
    await exchange.whole(_error(code="insufficient_quota"), 429)


@behavior
async def overloaded(exchange: Exchange) -> None:
    """503 with advice."""
    await exchange.whole(_error(), 503, retry_after="9")


@behavior
async def html(exchange: Exchange) -> None:
    await exchange.whole(b"<html>their-secret</html>", 502, kind="text/html")


@behavior
async def error200(exchange: Exchange) -> None:
    """An error in an answer of status 200, as OpenRouter documents it."""
    await exchange.whole(_error(code=502) | {"user_id": "org-their-secret"})


@behavior
async def not_json(exchange: Exchange) -> None:
    await exchange.whole(b"their-secret is no JSON")


@behavior
async def a_list(exchange: Exchange) -> None:
    await exchange.whole([])


@behavior
async def nothing(exchange: Exchange) -> None:
    await exchange.whole(b"")


@behavior
async def cut(exchange: Exchange) -> None:
    if exchange.streams:
        await exchange.stream(ROLE, FIRST, SECOND[:20])
    else:
        await exchange.whole(answer(), cut=20)


@behavior
async def cut_at_once(exchange: Exchange) -> None:
    """A stream that ends before it said anything."""
    if exchange.streams:
        await exchange.stream(ROLE)
    else:
        await exchange.whole(answer(), cut=0)


@behavior
async def drop(exchange: Exchange) -> None:
    """Close the connection without a word."""
    exchange.closes = True


@behavior
async def hang(exchange: Exchange) -> None:
    exchange.closes = True
    await exchange.wait()


@behavior
async def hang_body(exchange: Exchange) -> None:
    """Send a head and nothing more."""
    await exchange.head(kind="text/event-stream" if exchange.streams else "application/json")
    await exchange.wait()


@behavior
async def hang_middle(exchange: Exchange) -> None:
    """Say something and fall silent."""
    await exchange.stream(ROLE, FIRST)
    await exchange.wait()


@behavior
async def thinks(exchange: Exchange) -> None:
    """Say as much as the argument, think unseen until it may go on or is left, and report it."""
    used = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 18}}
    await exchange.stream(ROLE, *([said(exchange.argument)] if exchange.argument else []))
    await exchange.wait()
    await exchange.stream_on(SECOND, chunk(choices=[], usage=used), DONE)


@behavior
async def pings(exchange: Exchange) -> None:
    """Keep the connection open for ever, and say nothing."""
    await exchange.head()
    while not exchange.double.released.is_set():
        await exchange.send(b": ping\n\n")
        await asyncio.sleep(0.05)


@behavior
async def pings_middle(exchange: Exchange) -> None:
    await exchange.stream(ROLE, FIRST)
    while not exchange.double.released.is_set():
        await exchange.send(b": ping\n\n")
        await asyncio.sleep(0.05)


@behavior
async def error_first(exchange: Exchange) -> None:
    """An error before anything was said, in a stream."""
    await exchange.stream(ROLE, b"data: " + json.dumps(_error()).encode() + b"\n\n", DONE)


@behavior
async def error_middle(exchange: Exchange) -> None:
    await exchange.stream(ROLE, FIRST, b"data: " + json.dumps(_error()).encode() + b"\n\n", DONE)


@behavior
async def garbage_middle(exchange: Exchange) -> None:
    await exchange.stream(ROLE, FIRST, b"data: {not json\n\n", DONE)


@behavior
async def crlf(exchange: Exchange) -> None:
    await exchange.stream(*(part.replace(b"\n", b"\r\n") for part in GOOD))


@behavior
async def cr(exchange: Exchange) -> None:
    await exchange.stream(*(part.replace(b"\n", b"\r") for part in GOOD))


@behavior
async def bom(exchange: Exchange) -> None:
    await exchange.stream(b"\xef\xbb\xbf", *GOOD)


@behavior
async def nospace(exchange: Exchange) -> None:
    await exchange.stream(*(part.replace(b"data: ", b"data:") for part in GOOD))


@behavior
async def comments(exchange: Exchange) -> None:
    await exchange.stream(*(b": OPENROUTER PROCESSING\n\n" + part for part in GOOD))


@behavior
async def many_lines(exchange: Exchange) -> None:
    """Events whose data has several lines."""
    await exchange.stream(*(part.replace(b', "', b',\ndata: "') for part in GOOD))


@behavior
async def bytes_(exchange: Exchange) -> None:
    """Each byte by itself, split characters too."""
    stream = b"".join((ROLE, said("Héllo"), said(" thére", "stop"), LAST, DONE))
    await exchange.stream(*(stream[place : place + 1] for place in range(len(stream))))


@behavior
async def no_done(exchange: Exchange) -> None:
    await exchange.stream(*GOOD[:-1])


@behavior
async def no_usage(exchange: Exchange) -> None:
    if exchange.streams:
        await exchange.stream(ROLE, FIRST, SECOND, DONE)
    else:
        await exchange.whole(answer(usage=None))


@behavior
async def running_usage(exchange: Exchange) -> None:
    """Usage with each chunk, growing."""
    growing = {"prompt_tokens": 50, "completion_tokens": 10}
    await exchange.stream(said("Hello", usage=growing), said(" there", "stop", usage=USAGE), DONE)


@behavior
async def use(exchange: Exchange) -> None:
    """Report the usage that the argument says, as JSON."""
    usage = json.loads(exchange.argument)
    if exchange.streams:
        await exchange.stream(ROLE, FIRST, SECOND, chunk(choices=[], usage=usage), DONE)
    else:
        await exchange.whole(answer(usage=usage))


class ProviderDouble:
    """Serves on ``url``. ``default`` is done where a message asks for nothing."""

    def __init__(self, default: str = "ok") -> None:
        self.default = default
        self.turns: Iterator[str] | None = None
        """What it does for one call after another, in place of ``default``."""
        self.asked: list[Asked] = []
        self.released = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def does(self) -> list[str]:
        """What it did, in order."""
        return [asked.does for asked in self.asked]

    def release(self) -> None:
        """Let what hangs come to its end."""
        self._loop.call_soon_threadsafe(self.released.set)

    def hold(self) -> None:
        """Let what hangs from now on wait for the next ``release``."""
        self._loop.call_soon_threadsafe(self.released.clear)

    async def has_come(self) -> bool:
        """Return whether anything was asked."""
        return bool(self.asked)

    async def admits(self, _exchange: Exchange, _body: bytes) -> bool:
        """Return whether who asks may; one who may not has been answered."""
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._serve_one(reader, writer):
                """The connection is kept."""
        with suppress(OSError):
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        document = json.loads(body or b"{}")
        usual = self.default if self.turns is None else next(self.turns)
        does = _wanted(document) or usual
        asked = Asked(head[0].split(" ")[1], headers, document, does)
        self.asked.append(asked)
        name, _, argument = does.partition(":")
        exchange = Exchange(asked, argument, self, reader, writer)
        try:
            if await self.admits(exchange, body):
                await BEHAVIORS[name](exchange)
            asked.done = True
        except OSError:
            asked.left = True
        if exchange.closes and reader.at_eof():
            asked.left = True
        return not exchange.closes

    def __enter__(self) -> Self:
        self._thread.start()
        begun = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**26), self._loop
        )
        self._server = begun.result()
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self.released.set()
        if self._server is not None:
            self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _wanted(document: dict[str, Any]) -> str:
    messages = document.get("messages") or [{}]
    content = messages[-1].get("content")
    return content.removeprefix("do:") if str(content).startswith("do:") else ""
