"""The rules of errors: a cause is a class with a code of its own, in its room's ``errors.py``."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from backend import errors
from backend.api.causes import causes as api_causes

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[2]
BACKEND = ROOT / "backend"
KINDS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.FareboxError) and "code" not in vars(kind)
}


def causes() -> Iterator[type[errors.FareboxError]]:
    """Those of every ``errors.py``, and no kind."""
    for path in sorted(BACKEND.rglob("errors.py")):
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for cause in vars(module).values():
            if (
                isinstance(cause, type)
                and issubclass(cause, errors.FareboxError)
                and cause.__module__ == module.__name__
                and cause.__name__ not in KINDS
            ):
                yield cause


def imported_errors(tree: ast.Module) -> set[str]:
    """Names that a module has from an ``errors`` of the backend's."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and re.fullmatch(r"backend(\.\w+)*\.errors", node.module or "")
        for alias in node.names
    }


def raised_kinds(tree: ast.Module) -> Iterator[str]:
    kinds = KINDS & imported_errors(tree)
    for node in ast.walk(tree):
        error = node.func if isinstance(node, ast.Call) else getattr(node, "exc", None)
        if isinstance(error, ast.Name) and error.id in kinds:
            yield f"line {error.lineno} makes a {error.id}, which is a kind: make a cause of it"


def misplaced_causes(tree: ast.Module) -> Iterator[str]:
    """What derives from a cause without a code of its own is that cause, and may be anywhere."""
    imported = imported_errors(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base) for base in node.bases} & imported
            names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
            if bases & KINDS or (bases and "code" in names):
                yield f"line {node.lineno}: {node.name} belongs in its room's errors.py"


def test_a_cause_has_a_code_of_its_own() -> None:
    codes = Counter(vars(cause).get("code") for cause in causes())
    assert len(codes) > 100
    assert [code for code, count in codes.items() if count > 1 or code is None] == []
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(_[a-z]+)*", str(code))] == []


def test_a_cause_has_a_status_a_title_and_a_meaning() -> None:
    for cause in causes():
        assert 400 <= cause.status < 600, cause
        assert re.fullmatch(r"[^<>|]*[^.<>|]", cause.title), cause
        assert re.fullmatch(r"[^<>|]+\.", cause.__doc__ or ""), cause


def test_the_api_lists_every_cause() -> None:
    answered = {cause for cause in causes() if not issubclass(cause, errors.CommandError)}
    assert answered == set(api_causes())


def test_only_causes_are_raised_and_each_is_in_its_rooms_file() -> None:
    mistakes = []
    for path in sorted(BACKEND.rglob("*.py")):
        source = path.read_text()
        if "errors import" not in source:  # then it has no kind and no cause
            continue
        tree = ast.parse(source)
        wrong = [*raised_kinds(tree)]
        if path.name != "errors.py":
            wrong += misplaced_causes(tree)
        mistakes += [f"{path.relative_to(ROOT)}, {mistake}" for mistake in wrong]
    assert mistakes == []
