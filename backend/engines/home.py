"""The directory where one installation keeps its data, and the checks before it is used."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from backend.errors import ConfigurationError

LEAST_FREE_BYTES = 512 * 1024 * 1024
"""PostgreSQL's and JetStream's first files take about half of this."""


def prepare_home(home: Path, *, least_free_bytes: int = LEAST_FREE_BYTES) -> None:
    """Make the directories of a home, closed to other users of the machine.

    Raises:
        ConfigurationError: it can't be written, or its disk has too little free space.
    """
    with disk_errors_explained(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("run", "logs"):
            (home / name).mkdir(mode=0o700, exist_ok=True)
        if shutil.disk_usage(home).free < least_free_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def is_disk_full(home: Path) -> bool:
    """Return whether the disk under ``home`` has too little free space."""
    return shutil.disk_usage(home).free < LEAST_FREE_BYTES


@contextmanager
def disk_errors_explained(home: Path) -> Iterator[None]:
    """Turn errors of files in ``home`` into a sentence that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            megabytes = LEAST_FREE_BYTES // 1024**2
            detail = (
                f"The disk that holds {home} is full. Free at least {megabytes} MB on it, "
                "or set FAREBOX_HOME to a directory on another disk."
            )
        elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
            detail = (
                f"{error.filename or home} can't be written ({error.strerror}). Give this user "
                "the right to, or set FAREBOX_HOME to a directory that is its own."
            )
        else:
            raise
        raise ConfigurationError(detail) from error


def make_secret_file(file: Path) -> None:
    """Write a secret that processes of this machine share, unless it exists."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(secrets.token_urlsafe(32))
    try:
        os.link(draft, file)  # fails if another process was first; then its secret is valid
    except FileExistsError:
        return
    finally:
        draft.unlink()


def check_port(host: str, port: int, *, purpose: str, variable: str) -> None:
    """Raise ConfigurationError if nothing can listen on this address, with the reason."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do, so that closed connections do not block the port
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = f"is in use{_user_of(port)}. Stop that, or set {variable} to another port."
            else:
                reason = f"can't be used ({error.strerror}). Set {variable} to another one."
            raise ConfigurationError(f"The port {port} of {purpose} {reason}") from error


def free_port() -> int:
    """Return a port of loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _user_of(port: int) -> str:
    """Return which process listens on ``port``, if this user may see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr:
                continue
            if connection.laddr.port == port and connection.pid:
                name = psutil.Process(connection.pid).name()
                return f" by process {connection.pid} ({name})"
    except psutil.Error:
        return ""
    return ""
