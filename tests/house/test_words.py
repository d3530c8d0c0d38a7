"""Variables are called by the noun that they hold.

``one``, ``found``, ``told``, ``made`` and ``known`` say nothing of it: they send the reader back to
the line that filled them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from symtable import SymbolTable, symtable

import pytest

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("backend", "backend_client", "benchmarks", "edge", "portal", "tests", "tools")
NOT_NOUNS = frozenset({"one", "found", "told", "made", "known"})
ANY = re.compile(rf"\b(?:{'|'.join(NOT_NOUNS)})\b")


def bound_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The names that code binds, with their lines: by assignment, loop, pattern or argument."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store(), lineno=line) | ast.arg(arg=name, lineno=line):
                yield line, name
            case (
                ast.MatchAs(name=str(name), lineno=line)
                | ast.MatchStar(name=str(name), lineno=line)
            ):
                yield line, name


def misnamed(source: str) -> list[tuple[int, str]]:
    # What names nothing so need not be parsed; and a symbol table is had sooner than a tree
    if not ANY.search(source) or not _may_bind(symtable(source, "<source>", "exec")):
        return []
    return sorted(
        (line, name) for line, name in bound_names(ast.parse(source)) if name in NOT_NOUNS
    )


def _may_bind(table: SymbolTable) -> bool:
    """Whether any scope has such a name of its own, an import's among them."""
    names = NOT_NOUNS.intersection(table.get_identifiers())
    return any(
        symbol.is_assigned() or symbol.is_parameter() for symbol in map(table.lookup, names)
    ) or any(_may_bind(scope) for scope in table.get_children())


@pytest.mark.parametrize("folder", FOLDERS)
def test_variables_are_nouns(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    faults = [
        f"{file.relative_to(ROOT)}:{line}: {name}"
        for file in files
        for line, name in misnamed(file.read_text())
    ]
    assert faults == []


@pytest.mark.parametrize(
    "source",
    [
        "found = 1",
        "found: int = 1",
        "for one in (): pass",
        "[told for told in ()]",
        "lambda made: 1",
        "def act(*, known): pass",
        "if found := 1: pass",
        "with open('x') as made: pass",
        "a, (b, known) = 1, (2, 3)",
        "match 1:\n    case [*found]: pass",
        "match 1:\n    case 1 as told: pass",
    ],
)
def test_each_way_to_bind_a_name_is_seen(source: str) -> None:
    assert len(misnamed(source)) == 1


def test_a_word_may_be_used_where_nothing_is_bound() -> None:
    assert misnamed("rows.one()\ncall(known=1)\nevent.found\n'made'") == []
