"""Go from its wheel, for samples that are written in it."""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

WAIT_SECONDS = 1500
"""For its own library on a busy machine: some 40 seconds of processor."""
_CACHE = Path(__file__).resolve().parents[2] / ".cache" / "go"
ENVIRONMENT = {
    "CGO_ENABLED": "0",  # no C compiler is needed
    "GO111MODULE": "off",
    "GOTOOLCHAIN": "local",
    "GOCACHE": str(_CACHE),
}


@functools.cache
def go() -> Path:
    """The program ``go``, to be run in ``ENVIRONMENT``; its library's largest part is compiled.

    The first to need it compiles that; other processes wait for it, and later runs find it there.
    The test is skipped where Go is not installed.
    """
    wheel = find_spec("go")
    if wheel is None or wheel.origin is None:
        pytest.skip("Go is not installed: the group `dev` has it")
    program = Path(wheel.origin).parent / "bin" / "go"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(
            [program, "build", "net/http"],
            check=True,
            timeout=WAIT_SECONDS,
            env={**os.environ, **ENVIRONMENT},
        )
    return program
