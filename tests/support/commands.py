"""``farebox`` on a command line: a process of its own each time, which has all imported already.

To import what a command needs takes a second of a processor, and some tests run ten. So one process
imports all of it, once, and each command is a fork of that one. It has the environment, directory
and streams that a shell would give it, and ends with the same status.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from subprocess import CompletedProcess
from typing import TextIO

from tests.support.paths import ROOT

PATIENCE_SECONDS = 180
"""How long a command may take, on a machine that does much else."""
_SERVERS = {"up", "api", "worker", "portal"}
"""Commands that run until they are stopped: tests start these as they are started anywhere."""


def run_farebox(
    *arguments: str, environment: Mapping[str, str], cwd: Path = ROOT, typed: str = ""
) -> CompletedProcess[str]:
    """Run a command to its end, in this environment and no other; ``typed`` is its input.

    Raises:
        TimeoutError: it did not end within ``PATIENCE_SECONDS``.
    """
    with tempfile.TemporaryDirectory(prefix="fb-command-") as folder:
        streams = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        streams[0].write_text(typed)
        process = _start(arguments, environment, cwd, streams)
        process.join(PATIENCE_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"farebox {' '.join(arguments)}: {streams[2].read_text()}")
        out, err = (stream.read_text() for stream in streams[1:])
        return CompletedProcess(["farebox", *arguments], process.exitcode, out, err)


@contextmanager
def running_farebox(
    *arguments: str, environment: Mapping[str, str], cwd: Path = ROOT
) -> Iterator[TextIO]:
    """Run a command while its lines are read; kill it then, and all that it has started."""
    with tempfile.TemporaryDirectory(prefix="fb-command-") as folder:
        lines = Path(folder, "stdout")
        os.mkfifo(lines)
        process = _start(arguments, environment, cwd, [Path(os.devnull), lines, Path(os.devnull)])
        try:
            with lines.open() as stdout:
                yield stdout
        finally:
            with suppress(ProcessLookupError):  # it may have ended
                os.killpg(process.pid, signal.SIGKILL)
            process.join()


def _start(
    arguments: tuple[str, ...], environment: Mapping[str, str], cwd: Path, streams: list[Path]
) -> ForkServerProcess:
    process = _context().Process(target=_become, args=(arguments, dict(environment), cwd, streams))
    process.start()
    return process


@cache
def _context() -> ForkServerContext:
    from backend.cli import COMMANDS

    context = get_context("forkserver")
    modules = {place.partition(":")[0] for name, place in COMMANDS.items() if name not in _SERVERS}
    # What pytest was started as is imported too, by the rules of multiprocessing
    context.set_forkserver_preload(["pytest", __name__, *sorted(modules)])
    return context


def _become(
    arguments: tuple[str, ...], environment: dict[str, str], cwd: Path, streams: list[Path]
) -> None:
    os.setsid()
    for number, stream in enumerate(streams):
        opened = os.open(stream, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  multiprocessing had closed it
    if environment.get("PYTHONUNBUFFERED"):
        sys.stdout.reconfigure(line_buffering=True)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = ["farebox", *arguments]
    from backend.cli import main

    main()
