"""Packages of the npm registry for tests that need some, by Node as the portal is built with."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from portal.server.node import node_directory, npm_command

WAIT_SECONDS = 180
_UNREACHABLE = ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ECONNRESET", "E403")


def node() -> Path:
    """The program ``node``. The test is skipped where it is not installed."""
    directory = node_directory()
    if directory is None:
        pytest.skip("Node is not installed: the extra `portal` has it")
    return directory / "node"


def install(lock: Path, folder: Path) -> Path:
    """Install what the lock file in ``lock`` names into ``folder``; return the program ``node``.

    The test is skipped where Node is not installed or the registry does not answer.
    """
    program = node()
    shutil.copytree(lock, folder, dirs_exist_ok=True)
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
    command = [*npm_command(program.parent), "ci", *options]
    try:
        installed = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the npm registry did not answer within three minutes")
    if installed.returncode:
        if any(word in installed.stderr for word in _UNREACHABLE):
            pytest.skip("the npm registry can't be reached")
        raise AssertionError(installed.stderr)
    return program
