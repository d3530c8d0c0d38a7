"""Where is… and the how-tos against the code: what they name is there; all retries are told."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT

pytestmark = pytest.mark.fast

PAGE = (DOCS / "where-is.md").read_text()
QUESTIONS, RETRIES = (
    [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| ")][1:]
    for part in PAGE.split("\n## Retries\n")
)
PAUSES = re.compile(r"\b(?<!def )(?:pauses|pause_after|delivery_pause|next_attempt)\(")
"""What gives the pauses between tries."""
OF_PAUSES = {"backend/kit/backoff.py", "backend/outbox/retrying.py"}


@pytest.mark.parametrize("cells", QUESTIONS, ids=lambda cells: cells[0])
def test_an_answer_names_what_is_there(cells: list[str]) -> None:
    """Files by their path, or by their name where they are beside or above one before."""
    files: list[Path] = []
    names = re.findall(r"`([^`]+)`", cells[1])
    for name in names:
        if "/" in name:
            assert (ROOT / name).exists(), name
        elif name.endswith(".py"):
            near = [folder / name for file in files for folder in file.parents[:2]]
            files += [path for path in near if path.exists()][:1]
            assert files[-1].name == name
        if "/" in name and name.endswith(".py"):
            files.append(ROOT / name)
    things = [name for name in names if "/" not in name and not name.endswith(".py")]
    defined = {thing for file in files for thing in _defined(file)}
    assert {part for thing in things for part in thing.split(".")} <= defined


def test_whoever_tries_again_is_in_the_table() -> None:
    listed = {name for where, *_ in RETRIES for name in re.findall(r"`([^`]+)`", where)}
    retrying = {
        str(path.relative_to(ROOT))
        for folder in ("backend", "portal", "edge")
        for path in (ROOT / folder).rglob("*.py")
        if PAUSES.search(path.read_text())
    }
    assert retrying - OF_PAUSES <= listed


@pytest.mark.parametrize("cells", RETRIES, ids=lambda cells: cells[1])
def test_a_retry_names_what_is_there(cells: list[str]) -> None:
    [where] = re.findall(r"`([^`]+)`", cells[0])
    functions = re.findall(r"`(\w+)`", cells[1])
    assert set(functions) <= _defined(ROOT / where)


@pytest.mark.parametrize("page", sorted((DOCS / "how-to").glob("*.md")), ids=lambda page: page.stem)
def test_a_how_to_names_tables_that_are_there(page: Path) -> None:
    """Its lists and tables of the code, such as ``TASKS``, are in the files that it names."""
    names = re.findall(r"`([^`]+)`", page.read_text())
    files = [ROOT / name for name in names if "/" in name and name.endswith(".py")]
    source = "\n".join(file.read_text() for file in files if file.exists())
    for name in names:
        if re.fullmatch(r"_?[A-Z][A-Z_]{3,}", name):
            assert re.search(rf"\b{name}\b", source), name


def _defined(file: Path) -> set[str]:
    """The names of a file's classes and functions, methods too."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, kinds)}
