"""A client that costs next to nothing: prepared bytes, kept connections, whole answers timed."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Target:
    """Where chat completions are asked for: a name for the table, the address, headers, a model."""

    name: str
    base_url: str
    model: str
    headers: Mapping[str, str]

    def request(self, *, stream: bool) -> bytes:
        """The bytes of one request."""
        asked = {
            "model": self.model,
            "messages": [{"role": "user", "content": "Say a word, thirty-two times over."}],
            **({"stream": True} if stream else {}),
        }
        body = json.dumps(asked).encode()
        parts = urlsplit(self.base_url)
        headers = {
            "host": parts.netloc,
            "content-type": "application/json",
            "content-length": str(len(body)),
            **self.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {parts.path}/chat/completions HTTP/1.1\r\n{head}\r\n".encode() + body


@dataclass(frozen=True)
class Figures:
    """What came of a run. Milliseconds until an answer's last byte, and until its first."""

    p50_ms: float
    p95_ms: float
    first_p50_ms: float
    per_second: float
    calls: int


async def ask_once(target: Target) -> None:
    """Ask for one plain answer; raises as ``measure`` does, and ``OSError``."""
    parts = urlsplit(target.base_url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(target.request(stream=False))
    await _read_answer(reader)
    writer.close()
    await writer.wait_closed()


async def measure(target: Target, *, stream: bool, concurrency: int, seconds: float) -> Figures:
    """Ask over ``concurrency`` connections, each again as soon as it has its answer.

    Raises ``RuntimeError`` for any answer but a whole 200.
    """
    request = target.request(stream=stream)
    parts = urlsplit(target.base_url)
    taken: list[float] = []
    first: list[float] = []
    until = time.perf_counter() + seconds

    async def lane() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(request)
            first.append(await _read_answer(reader) - began)
            taken.append(time.perf_counter() - began)
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(concurrency)))
    lasted = time.perf_counter() - began
    cuts = statistics.quantiles(taken, n=100)
    return Figures(
        cuts[49] * 1000,
        cuts[94] * 1000,
        statistics.median(first) * 1000,
        len(taken) / lasted,
        len(taken),
    )


async def _read_answer(reader: asyncio.StreamReader) -> float:
    """Read an answer; return when the first byte of its body had come."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(head.decode())
    if b"transfer-encoding: chunked" in head:
        size = int(await reader.readuntil(b"\r\n"), 16)
        first = time.perf_counter()
        while size:
            await reader.readexactly(size + 2)
            size = int(await reader.readuntil(b"\r\n"), 16)
        await reader.readexactly(2)
    else:
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        first = time.perf_counter()
    return first
