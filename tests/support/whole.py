"""Run the tests that the arguments name, and a few that failed once more, by themselves.

A test that passes the second time is flaky: a fault, of the test or of Farebox, that somebody has
to mend; it is named, and holds up nothing else. Many that fail are no accident, and are not run
again. CPython's own runner does the same by ``--rerun``.

    python -m tests.support.whole [pytest's arguments]
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

MOST = 5
"""Failures that may be accidents."""
_FAILURES = Path(".pytest_cache/v/cache/lastfailed")
"""Where pytest keeps the names of what failed, below the directory that it runs in."""


def run(arguments: Sequence[str], directory: Path) -> int:
    """Run pytest in ``directory``; return its exit code, of the second time if there was one."""
    failures = directory / _FAILURES
    failures.unlink(missing_ok=True)
    first = _pytest(arguments, directory)
    if first != pytest.ExitCode.TESTS_FAILED or not failures.exists():
        return first
    names = sorted(json.loads(failures.read_text()))
    if not 0 < len(names) <= MOST:
        return first
    sys.stdout.write("\nRun again by themselves; what passes now is flaky, a fault all the same:\n")
    sys.stdout.writelines(f"  {name}\n" for name in names)
    sys.stdout.flush()
    return _pytest(["--last-failed", "--last-failed-no-failures=none"], directory)


def _pytest(arguments: Sequence[str], directory: Path) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=directory, check=False).returncode


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], Path.cwd()))
