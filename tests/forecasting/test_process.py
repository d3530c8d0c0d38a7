"""The process that computes forecasts: it comes back when killed, and never outlives the worker."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import psutil
import pytest

from backend.forecasting.forecast import compute
from backend.kit.side_process import SideProcess
from tests.forecasting.made import at, job, plan

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[2]
JOB = job([100_000.0] * 5, at("2026-03-10T12:00"), (plan(), at("2026-03-01")), paths=11)

WORKER = """
import asyncio, sys
import psutil
from backend.kit.side_process import SideProcess

async def main():
    process = SideProcess()
    await process.compute(abs, -3)
    for child in psutil.Process().children():
        if "spawn_main" in " ".join(child.cmdline()):
            print(child.pid, flush=True)
    sys.stdin.read()

if __name__ == "__main__":
    asyncio.run(main())
"""


def computing() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


async def test_it_begins_anew_when_it_was_killed() -> None:
    before = set(computing())
    process = SideProcess()
    first = await process.compute(compute, JOB)
    (child,) = set(computing()) - before
    child.kill()
    child.wait(10)
    assert await process.compute(compute, JOB) == first
    process.close()
    assert set(computing()) <= before


async def test_it_ends_when_the_worker_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        script,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert worker.stdout is not None
    child = psutil.Process(int(await asyncio.wait_for(worker.stdout.readline(), 60)))
    worker.kill()
    await worker.wait()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, [child], 20)
    assert (len(gone), alive) == (1, [])
