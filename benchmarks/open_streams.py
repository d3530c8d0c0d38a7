"""Many streams open at once: how many are lost, and what they take of the API's memory."""

from __future__ import annotations

import asyncio
import resource
import statistics
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil

from benchmarks.fast_upstream import EVENTS
from benchmarks.http_load import Target

_OPENED_A_SECOND = 100
_DONE = b"data: [DONE]"


def allow_many_files() -> None:
    """Let this process and its children have as many connections as the system lets them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@dataclass
class Streams:
    """What came of them. Milliseconds from a request to the first byte of its answer's body."""

    first_ms: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    whole: int = 0
    open_now: int = 0
    most_open: int = 0


async def read_stream(target: Target, streams: Streams) -> None:
    """Open a stream and read all of it; note it as lost if it ends early or lacks an event."""
    parts = urlsplit(target.base_url)
    began = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(target.request(stream=True))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.lower().startswith(b"http/1.1 200"):
            raise RuntimeError(head.partition(b"\r\n")[0].decode())
        streams.open_now += 1
        streams.most_open = max(streams.most_open, streams.open_now)
        try:
            body = await _body(reader, began, streams)
        finally:
            streams.open_now -= 1
            writer.close()
        # All but the usage, for which nobody asked
        if body.count(b"data: ") < len(EVENTS) - 1 or _DONE not in body:
            raise RuntimeError("a stream without all of its events")
    except (OSError, RuntimeError, asyncio.IncompleteReadError) as error:
        streams.lost.append(repr(error))
    else:
        streams.whole += 1


async def _body(reader: asyncio.StreamReader, began: float, streams: Streams) -> bytes:
    pieces = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        if not pieces:
            streams.first_ms.append((time.perf_counter() - began) * 1000)
        pieces.append(await reader.readexactly(size + 2))
    await reader.readexactly(2)
    return b"".join(pieces)


async def keep_open(target: Target, count: int, api: psutil.Process) -> None:
    """Open ``count`` streams, read them to their ends, and print what came of them."""
    streams, before = Streams(), api.memory_info().rss
    spent, began = sum(api.cpu_times()[:2]), time.perf_counter()
    tasks = []
    most = before
    for _ in range(count):
        tasks.append(asyncio.create_task(read_stream(target, streams)))
        await asyncio.sleep(1 / _OPENED_A_SECOND)  # the pace itself
        most = max(most, api.memory_info().rss)
    while any(not task.done() for task in tasks):
        await asyncio.wait(tasks, timeout=0.5)
        most = max(most, api.memory_info().rss)
    cuts = statistics.quantiles(streams.first_ms, n=20)
    print(
        f"{target.name}: {count:,} streams, at most {streams.most_open:,} open at once, "
        f"{time.perf_counter() - began:.0f} s\n"
        f"dropped: {len(streams.lost)}, whole: {streams.whole:,}\n"
        f"the API's memory: {before / 2**20:.0f} MiB before, {most / 2**20:.0f} MiB at most\n"
        f"the API's CPU: {sum(api.cpu_times()[:2]) - spent:.1f} s\n"
        f"first token: {statistics.median(streams.first_ms):.1f} ms at the median, "
        f"{cuts[18]:.1f} ms for 95 %"
    )
    for reason in sorted(set(streams.lost)):
        print(f"  {streams.lost.count(reason)} times {reason}")
