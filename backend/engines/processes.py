"""Child processes: starting them, stopping them, and recognizing them later."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypedDict

from backend.engines.environment import Inherits, for_an_engine

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class _Options(TypedDict):
    stdin: int
    stdout: IO[bytes]
    stderr: IO[bytes]
    cwd: Path | None
    env: dict[str, str]
    start_new_session: bool
    preexec_fn: Callable[[], None] | None
    user: str | None
    group: int | None
    extra_groups: list[int] | None


@dataclass(frozen=True)
class Command:
    """A program with its arguments, environment, user and signals."""

    arguments: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to what it inherits."""
    inherits: Inherits = for_an_engine
    """Picks what it gets of this process's own environment, and of ``environment``."""
    directory: Path | None = None
    user: str | None = None
    """The account to run as, when this process is root; None: the same."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    """How long it may take to finish after ``stop_signal`` before it is killed."""

    def options(self, log: IO[bytes]) -> _Options:
        """Return the options of ``subprocess`` and ``asyncio`` besides the arguments.

        The child leads a session of its own, so that a Ctrl-C at the terminal reaches only the
        supervisor, and a whole group can be killed. On Linux the kernel signals it when the
        supervisor is killed.
        """
        return {
            "stdin": subprocess.DEVNULL,
            "stdout": log,
            "stderr": log,
            "cwd": self.directory,
            "env": self.inherits({**os.environ, **self.environment}),
            "start_new_session": True,
            "preexec_fn": _stop_with_parent(self.stop_signal),
            "user": self.user,
            "group": pwd.getpwnam(self.user).pw_gid if self.user else None,
            "extra_groups": [] if self.user else None,
        }


def _stop_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    if _LIBC is None:
        return None
    prctl, parent, number = _LIBC.prctl, os.getpid(), int(stop_signal)

    def in_child() -> None:
        # Runs between fork and exec: nothing here may take a lock or allocate much
        prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os.kill(os.getpid(), number)

    return in_child


def kill_group(pid: int, number: signal.Signals) -> None:
    """Signal the process and all of its session; no error if it has ended."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


@dataclass
class RunningEngine:
    """An engine that accepts connections: its address, and the process to watch and stop."""

    url: str
    process: subprocess.Popen[bytes]
    command: Command

    def stop(self) -> None:
        """Ask the engine to finish, wait until it has, and kill it if it does not."""
        if self.process.poll() is None:
            self.process.send_signal(self.command.stop_signal)
        try:
            self.process.wait(self.command.stop_seconds)
        except subprocess.TimeoutExpired:
            kill_group(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start_and_wait(
    command: Command, *, url: str, log: Path, ready: Callable[[int], bool], seconds: float = 30.0
) -> RunningEngine:
    """Start an engine and return once ``ready(pid)`` is true.

    The supervisor starts engines on its event loop; this function is for tests and benchmarks.

    Raises:
        RuntimeError: it stopped before it was ready, or was not ready within ``seconds``.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(command.arguments, **command.options(output))
    engine = RunningEngine(url, process, command)
    step = 0.02
    for _ in range(int(seconds / step)):
        if ready(process.pid):
            return engine
        try:
            process.wait(step)
        except subprocess.TimeoutExpired:
            continue
        raise RuntimeError(f"{command.arguments[0]} stopped at once; see {log}")
    engine.stop()
    raise RuntimeError(f"{command.arguments[0]} was not ready in {seconds:.0f} s; see {log}")
