"""``farebox up`` as an operator runs it: a process of its own, with everything real behind it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from backend.engines.runfile import ProcessIdentity, RunFile, run_file_path
from backend.kit.tls import tls_context
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.engine

READY = re.compile(r"Farebox is ready \([\d.]+ s\): (http://\S+)")


class Up:
    """A running ``farebox up``, and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process, home: Path) -> None:
        self.process = process
        self.home = home
        self.lines: list[str] = []

    async def hear(self, pattern: re.Pattern[str] | str) -> re.Match[str]:
        """Read until a line matches."""
        assert self.process.stdout
        async with asyncio.timeout(240):
            async for line in self.process.stdout:
                self.lines.append(line.decode().rstrip())
                if match := re.search(pattern, self.lines[-1]):
                    return match
        raise AssertionError("farebox up ended:\n" + "\n".join(self.lines))

    async def end(self) -> int:
        """Read to the end, and return the exit status."""
        assert self.process.stdout
        async with asyncio.timeout(60):
            self.lines += [line.decode().rstrip() async for line in self.process.stdout]
            return await self.process.wait()

    def family(self) -> dict[str, ProcessIdentity]:
        """It and all that it started, directly or not."""
        processes = [psutil.Process(self.process.pid)]
        processes += processes[0].children(recursive=True)
        return {
            f"{process.name()} {process.pid}": ProcessIdentity(process.pid, process.create_time())
            for process in processes
        }

    @property
    def children(self) -> dict[str, ProcessIdentity]:
        return RunFile.read(run_file_path(self.home)).children


@pytest.fixture
def home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="fb-"))
    yield path
    shutil.rmtree(path)


@asynccontextmanager
async def up(home: Path, *options: str, **settings: object) -> AsyncIterator[Up]:
    environment = {
        "FAREBOX_HOME": str(home),
        "FAREBOX_API_PORT": str(free_port()),
        "FAREBOX_PORTAL_PORT": str(free_port()),
        **{f"FAREBOX_{name.upper()}": str(value) for name, value in settings.items()},
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "backend.cli", "up", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment},
    )
    running = Up(process, home)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await running.end()


def alive(family: dict[str, ProcessIdentity]) -> list[str]:
    return [name for name, identity in family.items() if identity.is_alive()]


@pytest.fixture(scope="module")
async def standing() -> AsyncIterator[tuple[Up, str]]:
    """One without a portal and its address, for tests that leave it running; it ends cleanly."""
    home = Path(tempfile.mkdtemp(prefix="fb-"))
    async with up(home, "--no-portal") as running:
        url = (await running.hear(READY))[1]
        yield running, url
        running.process.send_signal(signal.SIGINT)
        assert await running.end() == 0
    with socket.socket() as probe:
        probe.settimeout(1)
        assert probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) != 0
    shutil.rmtree(home)


async def test_one_address_everything_answers_and_ctrl_c_leaves_nothing(home: Path) -> None:
    async with up(home) as running:
        url = (await running.hear(READY))[1]
        async with httpx.AsyncClient(verify=tls_context()) as client:
            page = await client.get(url)
            assert page.status_code == 200
            assert 'href="/brand/logo"' in page.text
            api = RunFile.read(run_file_path(home)).addresses
            ready = await client.get(f"http://{api['api_host']}:{api['api_port']}/readyz")
            assert ready.status_code == 200
        family = running.family()
        assert {"postgres", "nats", "model", "api", "worker", "portal"} <= set(running.children)

        running.process.send_signal(signal.SIGINT)
        assert await running.end() == 0
    assert alive(family) == []
    assert not run_file_path(home).exists()
    addresses = re.findall(r"http://\S+", "\n".join(running.lines))
    assert addresses == [url]


async def test_after_kill_9_the_next_one_recovers(home: Path) -> None:
    async with up(home, "--no-portal") as first:
        await first.hear(READY)
        family = first.family()
        first.process.kill()
        await first.end()
    async with up(home, "--no-portal") as second:
        url = (await second.hear(READY))[1]
        assert alive(family) == []
        async with httpx.AsyncClient(verify=tls_context()) as client:
            assert (await client.get(f"{url}/readyz")).status_code == 200


@pytest.mark.crash
async def test_every_child_that_is_killed_comes_back(standing: tuple[Up, str]) -> None:
    running, url = standing
    for name, title in (
        ("worker", "The worker"),
        ("model", "The model"),
        ("api", "The API"),
        ("nats", "NATS JetStream"),
        ("postgres", "PostgreSQL"),
    ):
        os.kill(running.children[name].pid, signal.SIGKILL)
        await running.hear(f"{title} was killed by signal 9")
        await running.hear(f"{title} is ready")
    async with httpx.AsyncClient(verify=tls_context()) as client:

        async def ready() -> bool:
            # The API answers while PostgreSQL and NATS are away, and says that they are
            return (await client.get(f"{url}/readyz")).status_code == 200

        await until(ready)


async def test_what_is_in_the_way_is_told_in_a_sentence(standing: tuple[Up, str]) -> None:
    first, url = standing
    async with up(first.home, "--no-portal") as second:
        assert await second.end() == 1
    assert len(second.lines) == 1
    assert f"already runs on {first.home} at {url}" in second.lines[0]

    other = first.home / "other"
    async with up(other, "--no-portal", api_port=url.rpartition(":")[2]) as third:
        assert await third.end() == 1
    assert len(third.lines) == 1
    assert "is in use by process" in third.lines[0]
    assert "FAREBOX_API_PORT" in third.lines[0]

    async with up(other / ("deep" * 30), "--no-portal") as fourth:
        assert await fourth.end() == 1
    assert "Set FAREBOX_HOME to a shorter one" in fourth.lines[-1]
