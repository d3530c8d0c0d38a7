"""The run file of a home: a lock that ends with its holder, and the list of its children.

The lock is the kernel's, so it is never stale. The list outlives a killed supervisor, so that the
next one can find and stop its children: a process is identified by its id and start time together,
since ids are used again.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from backend.errors import ConfigurationError

_KILLED_SECONDS = 1.0
"""How long a killed process may take to end."""

_LAST_SECONDS = 10.0

_SHORTEST_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.05
"""Between two looks whether a process has ended."""

_SAME_START_SECONDS = 2.0
"""The start time depends on the machine's clock, which may have been adjusted since."""


@dataclass(frozen=True)
class ProcessIdentity:
    """The identity of one process."""

    pid: int
    started: float
    """Seconds since the epoch."""

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """The identity of the process that has this id now, if there is one."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def is_alive(self) -> bool:
        """Return whether this very process still runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _SAME_START_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def run_file_path(home: Path) -> Path:
    """Return the path of a home's run file."""
    return home / "run" / "farebox.json"


@dataclass
class RunFile:
    """What the supervisor of a home runs, as recorded in ``run/farebox.json``."""

    path: Path
    supervisor: int = 0
    url: str = ""
    addresses: dict[str, str] = field(default_factory=dict)
    """Addresses of what it runs, as settings: ``database_url``, ``nats_url``, ``api_port``, ..."""
    children: dict[str, ProcessIdentity] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> RunFile:
        """Read the file; empty if there is none or it can't be read."""
        try:
            content = json.loads(path.read_text())
            children = {
                name: ProcessIdentity(**child) for name, child in content["children"].items()
            }
            return cls(path, content["supervisor"], content["url"], content["addresses"], children)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return cls(path)

    def write(self) -> None:
        """Replace the file atomically."""
        content = {
            "supervisor": self.supervisor,
            "url": self.url,
            "addresses": self.addresses,
            "children": {name: asdict(child) for name, child in self.children.items()},
        }
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(content, indent=2))
        draft.replace(self.path)

    def record(self, name: str, pid: int) -> None:
        """Record that the child ``name`` was started."""
        identity = ProcessIdentity.of(pid)
        if identity is not None:
            self.children[name] = identity
            self.write()

    def remove(self) -> None:
        """Record that nothing runs."""
        self.path.unlink(missing_ok=True)


class HomeLock:
    """Prevents two supervisors on one home.

    Held until :meth:`release` or the end of the process.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "run" / "lock"
        self._run_file = run_file_path(home)
        self._home = home
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            ConfigurationError: another supervisor holds it, or the file system has no locks.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                raise ConfigurationError(self._already_running()) from error
            raise ConfigurationError(
                f"The file system of {self._home} has no file locks ({error.strerror}). "
                "Set FAREBOX_HOME to a directory on a local disk."
            ) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the home for another supervisor."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _already_running(self) -> str:
        run = RunFile.read(self._run_file)
        where = f" at {run.url}" if run.url else ""
        who = f" (process {run.supervisor})" if run.supervisor else ""
        return (
            f"Farebox already runs on {self._home}{where}{who}. Use that one, or stop it with "
            "Ctrl-C where it runs. For a second one beside it, set FAREBOX_HOME to another "
            "directory, and FAREBOX_API_PORT and FAREBOX_PORTAL_PORT to other ports."
        )


def left_behind(children: Mapping[str, ProcessIdentity]) -> dict[str, list[psutil.Process]]:
    """Return what still runs of these children and of what they started, by name.

    A child leads a session, whose number no other process gets while a member lives. A member
    counts if its leader is still the recorded one, or has ended.
    """
    processes: dict[str, list[psutil.Process]] = {}
    sessions = {child.pid: (name, child) for name, child in children.items()}
    for process in psutil.process_iter():
        try:
            name, leader = sessions[os.getsid(process.pid)]
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            younger = process.create_time() > leader.started - _SAME_START_SECONDS
        except (KeyError, ProcessLookupError, PermissionError, psutil.Error):
            continue
        if leader.is_alive() or (younger and not psutil.pid_exists(leader.pid)):
            processes.setdefault(name, []).append(process)
    return processes


def stop_left_behind(
    children: Mapping[str, ProcessIdentity], *, seconds: float = 20.0
) -> list[str]:
    """Stop what still runs of these children; return the names of those that ran. Blocks."""
    names: set[str] = set()
    give_up = time.monotonic() + seconds
    # Repeated until none is left: one that is stopped may just have started another
    while remaining := left_behind(children):
        names |= remaining.keys()
        processes = [process for members in remaining.values() for process in members]
        left = give_up - time.monotonic()
        if left < -_LAST_SECONDS:
            break  # not even SIGKILL ends a process that hangs in the kernel
        for process in processes:
            _signal(process, kill=left <= 0)
        still_running(processes, max(left, _KILLED_SECONDS))
    return sorted(names)


def still_running(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until these have ended, or for so long; return those that have not. Blocks.

    A zombie has ended: its parent may be the machine's first process, which takes seconds to reap
    what it did not start, and in a container may never do so.
    """
    give_up = time.monotonic() + seconds
    pause = _SHORTEST_PAUSE_SECONDS
    while (running := [each for each in processes if _runs(each)]) and time.monotonic() < give_up:
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return running


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        elif process.name() == "postgres":
            process.send_signal(signal.SIGINT)  # on SIGTERM it would wait for its clients
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return
