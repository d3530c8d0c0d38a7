"""Variables are called by the noun that they hold.

``one``, ``found``, ``told``, ``made`` and ``known`` say nothing of it: they send the reader back to
the line that filled them. So do ``came``, ``gone`` and ``said``, which tests alone still have. An
attribute keeps its name, since it is read with its object's. ``left``, ``held`` and ``used`` are no
such words here: quotas, budgets and wallets have them in columns and fields.
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
PARTICIPLES = frozenset({"came", "gone", "said"})
"""Not of the tests, and not as attributes."""


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


def misnamed(source: str, *, in_tests: bool = True) -> list[tuple[int, str]]:
    words = NOT_NOUNS if in_tests else NOT_NOUNS | PARTICIPLES
    # What names nothing so need not be parsed; and a symbol table is had sooner than a tree
    if not re.search(rf"\b(?:{'|'.join(words)})\b", source) or not _may_bind(
        symtable(source, "<source>", "exec"), words
    ):
        return []
    tree = ast.parse(source)
    attributes = set(_attributes(tree))
    return sorted(
        (line, name)
        for line, name in bound_names(tree)
        if name in words and not (name in PARTICIPLES and (line, name) in attributes)
    )


def _attributes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The names that a class's own body binds."""
    for node in ast.walk(tree):
        for statement in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                yield from bound_names(statement)


def _may_bind(table: SymbolTable, words: frozenset[str]) -> bool:
    """Whether any scope has such a name of its own, an import's among them."""
    names = words.intersection(table.get_identifiers())
    return any(
        symbol.is_assigned() or symbol.is_parameter() for symbol in map(table.lookup, names)
    ) or any(_may_bind(scope, words) for scope in table.get_children())


@pytest.mark.parametrize("folder", FOLDERS)
def test_variables_are_nouns(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    faults = [
        f"{file.relative_to(ROOT)}:{line}: {name}"
        for file in files
        for line, name in misnamed(file.read_text(), in_tests=folder == "tests")
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


@pytest.mark.parametrize(
    "source", ["came = 1", "def act(gone: bool): pass", "[said for said in ()]"]
)
def test_a_participle_is_no_variable_outside_the_tests(source: str) -> None:
    assert len(misnamed(source, in_tests=False)) == 1
    assert misnamed(source) == []


def test_a_participle_may_be_an_attribute() -> None:
    assert misnamed("class Answer:\n    said: str\n    gone = 1", in_tests=False) == []
    assert misnamed("class Answer:\n    def act(self):\n        said = 1", in_tests=False) != []
