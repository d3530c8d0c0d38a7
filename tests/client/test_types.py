"""The client's types reach whoever uses it: results, pages, raw responses, and mistakes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).with_name("typed_use.py")
ROOT = EXAMPLE.parents[2]
README = (ROOT / "backend_client" / "README.md").read_text()


def test_the_type_checker_agrees_with_the_examples(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    (in_readme,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    of_readme = tmp_path / "readme.py"
    of_readme.write_text(in_readme)
    mypy = Path(sys.executable).with_name("mypy")
    # Not the project's own cache, which is of other options; kept, for all of httpx takes long
    cache = pytestconfig.cache.mkdir("mypy") if pytestconfig.cache else tmp_path
    options = ["--strict", "--warn-unused-ignores", "--cache-dir", cache]
    done = subprocess.run(
        [mypy, *options, EXAMPLE, of_readme],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
