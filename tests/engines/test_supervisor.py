"""The supervisor, over small real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from backend.engines.home import prepare_home
from backend.engines.processes import Command
from backend.engines.runfile import ProcessIdentity, RunFile
from backend.engines.supervisor import Service, Supervisor
from backend.errors import ConfigurationError

pytestmark = pytest.mark.fast

# Writes its name into a common file when it is up, and again when it is told to stop
PROGRAM = """
import os, signal, sys
name, journal = sys.argv[1:]
def note(what):
    with open(journal, "a") as file:
        file.write(f"{what} {name} {os.getpid()}\\n")
def stop(number, frame):
    note("stop")
    raise SystemExit(0)
signal.signal(signal.SIGTERM, stop)
note("start")
while True:
    signal.pause()
"""


class House:
    """A supervisor in a home of its own, and what its services wrote."""

    def __init__(self, home: Path) -> None:
        prepare_home(home)
        self.home = home
        self.journal = home / "journal"
        self.said: list[str] = []
        self.services: list[Service] = []
        self.run = RunFile(home / "run" / "farebox.json")
        self.ready = asyncio.Event()
        self._news = asyncio.Event()

    def add(self, name: str, *needs: str, program: str = PROGRAM, seconds: float = 20.0) -> None:
        command = Command([sys.executable, "-c", program, name, self.journal])

        async def ready(pid: int) -> bool:
            return f"start {name} {pid}" in self.journal_lines()

        service = Service(
            name, name.title(), lambda: command, ready, needs=needs, ready_seconds=seconds
        )
        self.services.append(service)

    def journal_lines(self) -> list[str]:
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def notes(self) -> list[str]:
        """What the services wrote, without their process ids."""
        return [line.rpartition(" ")[0] for line in self.journal_lines()]

    def say(self, line: str) -> None:
        self.said.append(line)
        self._news.set()

    async def hear(self, words: str, times: int) -> None:
        """Wait until the supervisor has said this so many times."""
        async with asyncio.timeout(60):
            while sum(words in line for line in self.said) < times:
                self._news.clear()
                await self._news.wait()

    def start(self) -> tuple[Supervisor, asyncio.Task[None]]:
        supervisor = Supervisor(self.services, home=self.home, run=self.run, say=self.say)
        return supervisor, asyncio.create_task(supervisor.run(self.ready.set))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "home")


async def test_services_start_after_what_they_need_and_stop_before_it(house: House) -> None:
    house.add("roof", "walls")
    house.add("walls", "ground")
    house.add("ground")
    supervisor, running = house.start()
    async with asyncio.timeout(60):
        await house.ready.wait()
    pids = {name: identity.pid for name, identity in house.run.children.items()}
    assert RunFile.read(house.run.path).children == house.run.children
    supervisor.stop()
    await running
    assert house.notes() == [
        *("start ground", "start walls", "start roof"),
        *("stop roof", "stop walls", "stop ground"),
    ]
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert not house.run.path.exists()


async def test_a_service_that_dies_is_started_again_ever_more_slowly(house: House) -> None:
    house.add("walls")
    supervisor, running = house.start()
    for deaths in range(1, 4):
        await house.hear("Walls is ready", deaths)
        os.kill(house.run.children["walls"].pid, signal.SIGKILL)
    await house.hear("Walls is ready", 4)
    supervisor.stop()
    await running
    deaths_said = [line.splitlines() for line in house.said if "killed by signal 9" in line]
    assert [lines[-1] for lines in deaths_said] == [
        "Starting Walls again now",
        "Starting Walls again in 0.25 s",
        "Starting Walls again in 0.5 s",
    ]


async def test_a_service_that_cannot_start_ends_all_with_the_end_of_its_log(house: House) -> None:
    house.add("ground")
    house.add("walls", "ground", program="raise SystemExit('the bricks are missing')")
    _, running = house.start()
    with pytest.raises(ConfigurationError) as caught:
        await running
    assert "Walls stopped while starting" in caught.value.detail
    assert "| the bricks are missing" in caught.value.detail
    assert house.notes() == ["start ground", "stop ground"]


async def test_a_service_that_never_gets_ready_ends_all(house: House) -> None:
    house.add("roof", program=PROGRAM.replace('note("start")', ""), seconds=0.5)
    _, running = house.start()
    with pytest.raises(ConfigurationError, match="Roof was not ready within"):
        await running
    assert house.notes() == ["stop roof"]


async def test_what_ignores_the_signal_is_killed_with_all_it_started(house: House) -> None:
    stubborn = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open(sys.argv[2], "a").write(f"child {child.pid}\\nstart {sys.argv[1]} {os.getpid()}\\n")
while True:
    signal.pause()
"""
    house.add("walls", program=stubborn)
    supervisor, running = house.start()
    async with asyncio.timeout(60):
        await house.ready.wait()
    grandchild = ProcessIdentity.of(int(house.journal_lines()[0].split()[1]))
    assert grandchild
    supervisor.stop()
    await asyncio.sleep(0)
    supervisor.stop()
    await running
    assert not grandchild.is_alive()
