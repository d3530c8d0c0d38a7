"""The client's types reach whoever uses it: results, pages, raw responses, and mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).with_name("typed_use.py")


def test_the_type_checker_agrees_with_the_example(tmp_path: Path) -> None:
    mypy = Path(sys.executable).with_name("mypy")
    options = ["--strict", "--warn-unused-ignores", "--cache-dir", tmp_path]
    done = subprocess.run(
        [mypy, *options, EXAMPLE],
        cwd=EXAMPLE.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
