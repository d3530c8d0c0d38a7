"""The rules of the house: style, types, which room may use which, and what a lock file may say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = [str(path) for path in (ROOT / ".github" / "workflows").glob("*.yml")]


@pytest.mark.slow
@pytest.mark.timeout(900)  # mypy needs a minute and a half of a processor where it has no cache
@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("lint-imports",),
        ("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS),
        ("check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml"),
        ("zizmor", "--offline", "--quiet", ".github"),
    ],
    ids=lambda command: " ".join(command[:3]),
)
def test_the_checkers_find_nothing(command: tuple[str, ...]) -> None:
    program, *arguments = command
    done = subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", ["requirements", "reflex.lock"])
def test_lock_files_name_no_registry(path: str) -> None:
    named = [
        (file.name, line)
        for file in (ROOT / path).iterdir()
        for line in file.read_text().splitlines()
        if re.search(r"https?:|file:|registry\.|index-url|/simple", line)
    ]
    assert named == []


def test_every_pinned_package_has_its_hashes() -> None:
    for file in (ROOT / "requirements").glob("*.lock"):
        pins = re.split(r"\n(?=[a-z0-9])", file.read_text().strip(), flags=re.IGNORECASE)
        for pin in pins:
            assert re.match(r"[\w.\-\[\]]+==\S+", pin), (file.name, pin)
            assert "--hash=sha256:" in pin, (file.name, pin)


def test_the_tests_lock_holds_what_runs_in_production() -> None:
    runtime, dev = (
        set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        for name in ("runtime.lock", "dev.lock")
    )
    assert runtime <= dev
