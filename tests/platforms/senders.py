"""Starts workers that send to a platform, and kills them, whatever they do then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[2]


class Senders:
    """Starts a worker, and kills it, whatever it does then."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @contextmanager
    def sender(self) -> Iterator[None]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("another\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        try:
            yield
        finally:
            os.kill(child, signal.SIGKILL)
            assert self._process.stdout.readline() == "gone\n"


@contextmanager
def started(environment: Mapping[str, str]) -> Iterator[Senders]:
    """The process of which each worker is a fork; ``environment`` is beside our own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.platforms.killed_sender"],
        cwd=_ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield Senders(process)
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
