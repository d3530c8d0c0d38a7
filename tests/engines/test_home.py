"""What can be wrong with the place and the ports of an installation, and what is said about it."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from backend.engines.home import (
    check_port,
    disk_errors_explained,
    make_secret_file,
    prepare_home,
)
from backend.engines.runfile import (
    HomeLock,
    ProcessIdentity,
    RunFile,
    run_file_path,
    still_running,
    stop_left_behind,
)
from backend.engines.running import running_settings
from backend.errors import ConfigurationError

pytestmark = pytest.mark.fast


def test_a_home_is_closed_to_other_users(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    prepare_home(home)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (home, home / "run", home / "logs")}
    assert modes == {0o700}


def test_too_little_room_says_to_free_some(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"is full\. Free at least 512 MB"):
        prepare_home(tmp_path, least_free_bytes=2**62)


def test_a_write_that_finds_the_disk_full_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is full"), disk_errors_explained(tmp_path):
        Path("/dev/full").write_text("more than nothing")


def test_a_home_that_is_a_file_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigurationError, match="set FAREBOX_HOME to a directory that is its own"):
        prepare_home(file / "home")


def test_a_port_in_use_names_its_user_and_the_setting() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(ConfigurationError) as caught:
            check_port("127.0.0.1", port, purpose="the API", variable="FAREBOX_API_PORT")
    assert f"The port {port} of the API is in use by process {os.getpid()}" in caught.value.detail
    assert "Set FAREBOX_API_PORT" in caught.value.detail or "set FAREBOX_API_PORT" in (
        caught.value.detail
    )
    check_port("127.0.0.1", port, purpose="the API", variable="FAREBOX_API_PORT")


def test_the_sign_in_secret_is_made_once_and_private(tmp_path: Path) -> None:
    file = tmp_path / "run" / "local-sign-in"
    make_secret_file(file)
    first = file.read_text()
    make_secret_file(file)
    assert file.read_text() == first
    assert len(first) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_second_supervisor_is_told_of_the_first(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    first, second = HomeLock(tmp_path), HomeLock(tmp_path)
    first.acquire()
    RunFile(tmp_path / "run" / "farebox.json", 4321, "http://127.0.0.1:3000").write()
    with pytest.raises(ConfigurationError) as caught:
        second.acquire()
    assert "already runs" in caught.value.detail
    assert "at http://127.0.0.1:3000 (process 4321)" in caught.value.detail
    assert "set FAREBOX_HOME" in caught.value.detail
    first.release()
    second.acquire()
    second.release()


def test_an_unreadable_run_file_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "farebox.json"
    for content in ("", "{", "[]", '{"children": {"api": 3}}'):
        path.write_text(content)
        assert RunFile.read(path).children == {}


def test_what_was_left_is_stopped_with_its_children_and_nothing_else(tmp_path: Path) -> None:
    grandchild = "print('started', flush=True); input()"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        for _ in range(2)
    ]
    for child in children:  # a child killed before it starts its own would leave one unseen
        assert child.stdout is not None
        assert child.stdout.readline() == b"started\n"
    left, stranger = children
    run = RunFile(tmp_path / "farebox.json")
    run.record("left", left.pid)
    # The same process id, from an earlier life of it: another process now
    run.children["gone"] = ProcessIdentity(stranger.pid, run.children["left"].started - 3600)
    try:
        assert stop_left_behind(RunFile.read(run.path).children) == ["left"]
        assert left.poll() is not None
        assert stranger.poll() is None
    finally:
        grandchildren = [
            process
            for child in children
            if child.poll() is None
            for process in psutil.Process(child.pid).children(recursive=True)
        ]
        for child in children:
            child.kill()
            child.communicate()  # reads to the end, which the grandchild's exit brings
        still_running(grandchildren, 20)
    assert stop_left_behind(run.children) == []


@pytest.mark.skipif(sys.platform != "linux", reason="who adopts an orphan is a thing of Linux")
def test_what_nobody_reaps_is_not_waited_for(tmp_path: Path) -> None:
    # Stands for a container's first process, which adopts orphans and reaps none
    adopter = """
import ctypes, subprocess, sys
PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
grandchild = "print('started', flush=True); input()"
program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
child = subprocess.Popen(
    [sys.executable, "-c", program],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
)
child.stdout.readline()
print(child.pid, flush=True)
input()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", adopter], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    left = psutil.Process(int(process.stdout.readline()))
    [grandchild] = left.children()
    run = RunFile(tmp_path / "farebox.json")
    run.record("left", left.pid)
    began = time.monotonic()
    try:
        assert stop_left_behind(run.children, seconds=120) == ["left"]
        assert {left.status(), grandchild.status()} == {psutil.STATUS_ZOMBIE}
        assert time.monotonic() - began < 60
    finally:
        process.kill()
        process.communicate()


def test_a_command_beside_a_running_installation_finds_its_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_home(tmp_path)
    for name in ("DATABASE_URL", "NATS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FAREBOX_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="Start `farebox up`"):
        running_settings()

    addresses = {
        "database_url": "postgresql://here/one",
        "nats_url": "nats://here",
        "api_port": "18080",
    }
    RunFile(run_file_path(tmp_path), os.getpid(), addresses=addresses).write()
    settings = running_settings()
    assert settings.database_url == "postgresql://here/one"
    assert settings.nats_url == "nats://here"
    assert settings.api_port == 18080

    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/two")
    assert running_settings().database_url == "postgresql://elsewhere/two"
    assert running_settings().home == tmp_path
