"""Seconds from ``make up`` until the first page is answered, on an installation that ran before.

    python -m benchmarks.warm_start

Runs ``make up`` on a home of its own once to warm it, and then some times more; each is stopped by
Ctrl-C before the next. The page is asked for over HTTP until it is answered whole.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from tests.support.ports import free_port

ROOT = Path(__file__).parents[1]
_STOP_SECONDS = 60


async def _until_answered(
    client: httpx.AsyncClient, url: str, process: asyncio.subprocess.Process
) -> None:
    """Return once an address answers 200; raise ``RuntimeError`` if Farebox has ended."""
    while process.returncode is None:
        with suppress(httpx.TransportError):
            if (await client.get(url, follow_redirects=True)).status_code == 200:
                return
        await asyncio.sleep(0.02)
    raise RuntimeError("`make up` ended; see its log")


async def start_once(environment: Mapping[str, str], url: str, log: Path) -> tuple[float, float]:
    """Start and stop once; return the seconds to the first page, and to a ready API."""
    began = time.perf_counter()
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *("make", "up"),
            cwd=ROOT,
            env=dict(environment),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            await _until_answered(client, url, process)
            page = time.perf_counter() - began
            api = f"http://127.0.0.1:{environment['FAREBOX_API_PORT']}/readyz"
            await _until_answered(client, api, process)
            return page, time.perf_counter() - began
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGINT)  # to the whole group, as a terminal does
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()


async def run(rounds: int) -> None:
    """Warm up, measure and print."""
    home = Path(tempfile.mkdtemp(prefix="fb-"))
    portal, api = free_port(), free_port()
    environment = {
        **os.environ,
        "FAREBOX_HOME": str(home),
        "FAREBOX_PORTAL_PORT": str(portal),
        "FAREBOX_API_PORT": str(api),
    }
    url = f"http://127.0.0.1:{portal}/"
    try:
        first, _ = await start_once(environment, url, home / "up.log")
        print(f"First start, new data: {first:.1f} s until the first page")
        taken = [await start_once(environment, url, home / "up.log") for _ in range(rounds)]
    except RuntimeError:
        print((home / "up.log").read_text())
        raise
    finally:
        shutil.rmtree(home, ignore_errors=True)
    pages = [page for page, _ in taken]
    print(
        f"Warm, {rounds} starts: median {statistics.median(pages):.1f} s until the first page "
        f"({min(pages):.1f} to {max(pages):.1f}), "
        f"{statistics.median(ready for _, ready in taken):.1f} s until it and the API are ready"
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    asyncio.run(run(arguments.rounds))


if __name__ == "__main__":
    main()
