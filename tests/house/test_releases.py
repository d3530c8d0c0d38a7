"""What a release says of itself is true: its Pythons, its changelog, and what its workflows run."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.changelog import ChangelogError, part_of, parts

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = ("pyproject.toml", "backend_client/pyproject.toml")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
"""The sections of Keep a Changelog, in its order."""


def project(path: str) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / path).read_text())["project"]
    return table


def classified(path: str) -> list[str]:
    """The versions of Python that the classifiers of a project name."""
    prefix = "Programming Language :: Python :: "
    return [
        line.removeprefix(prefix)
        for line in project(path)["classifiers"]
        if re.fullmatch(re.escape(prefix) + r"3\.\d+", line)
    ]


def jobs() -> dict[str, dict[str, Any]]:
    """The jobs of all workflows, by ``workflow.job``."""
    return {
        f"{file.stem}.{name}": job
        for file in WORKFLOWS
        for name, job in yaml.safe_load(file.read_text())["jobs"].items()
    }


def commands() -> list[str]:
    """What the workflows run, step by step."""
    return [
        step["run"] for job in jobs().values() for step in job.get("steps", []) if "run" in step
    ]


def test_ci_proves_the_pythons_that_the_classifiers_name() -> None:
    versions = classified("pyproject.toml")
    assert jobs()["ci.fast"]["strategy"]["matrix"]["python"] == versions
    makefile = (ROOT / "Makefile").read_text()
    tried = re.search(r"foreach name,python3 ((?:python3\.\d+ ?)+)", makefile)
    assert tried is not None
    assert tried[1].split() == [f"python{version}" for version in reversed(versions)]
    for path in PROJECTS:
        assert classified(path) == versions
        assert project(path)["requires-python"] == f">={versions[0]}"


def test_ci_runs_on_the_systems_that_the_classifiers_name() -> None:
    runners = {job["runs-on"].partition("-")[0] for job in jobs().values() if "runs-on" in job}
    systems = {"ubuntu": "POSIX :: Linux", "macos": "MacOS", "windows": "Microsoft :: Windows"}
    prefix = "Operating System :: "
    named = {
        line.removeprefix(prefix)
        for line in project("pyproject.toml")["classifiers"]
        if line.startswith(prefix)
    }
    assert named == {systems[runner] for runner in runners}


def test_a_distribution_is_typed_where_it_says_so() -> None:
    packages = (("backend", "edge", "portal"), ("backend_client",))
    for path, names in zip(PROJECTS, packages, strict=True):
        typed = "Typing :: Typed" in project(path)["classifiers"]
        assert typed == all((ROOT / name / "py.typed").exists() for name in names), path


def test_both_distributions_are_tried_on_the_oldest_and_the_newest_python() -> None:
    versions = classified("pyproject.toml")
    assert jobs()["ci.wheels"]["strategy"]["matrix"]["python"] == [versions[0], versions[-1]]


def test_every_job_ends_and_has_the_permissions_that_it_names() -> None:
    for name, job in jobs().items():
        assert "permissions" in job, name
        assert "timeout-minutes" in job or "uses" in job, name
    for file in WORKFLOWS:
        assert yaml.safe_load(file.read_text())["permissions"] == {}, file.name


def test_nothing_is_merged_past_a_job_of_ci() -> None:
    names = {name.removeprefix("ci.") for name in jobs() if name.startswith("ci.")}
    assert set(jobs()["ci.passed"]["needs"]) == names - {"passed"}


def test_the_workflows_run_what_is_there() -> None:
    text = "\n".join(commands())
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets
    files = re.findall(r"\b((?:requirements|tools)/[\w.]+)", text)
    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = parts(text)
    assert next(iter(versions)) == "Unreleased"
    assert versions["Unreleased"][0] is None
    for version, (_, body) in versions.items():
        sections = re.findall(r"^### (.+)$", body, re.MULTILINE)
        assert sections == [kind for kind in KINDS if kind in sections], version


CHANGELOG = """# Changelog

## Unreleased

## 0.2.0 - 2026-05-31

### Fixed
- A thing.

## 0.1.0

### Added
- Everything.
"""


def test_a_release_takes_its_part_of_the_changelog() -> None:
    assert part_of("0.2.0", CHANGELOG) == "### Fixed\n- A thing."
    with pytest.raises(ChangelogError, match=r"no part for 0\.3\.0"):
        part_of("0.3.0", CHANGELOG)
    with pytest.raises(ChangelogError, match=r"The part for 0\.1\.0 has no date"):
        part_of("0.1.0", CHANGELOG)


def test_a_tag_that_is_not_the_version_stops_the_release() -> None:
    done = subprocess.run(
        [sys.executable, "tools/changelog.py", "99.0.0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    version = project("pyproject.toml")["version"]
    assert (done.returncode, done.stderr) == (1, f"farebox is {version}, not 99.0.0.\n")
