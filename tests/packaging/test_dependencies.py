"""What the code imports, the project declares: for all of it, or for the extra that brings it."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[2]
OWN = {"backend", "backend_client", "edge", "portal"}
# Where an extra may be imported; anywhere else an import must do without extras
HOMES = {
    "portal": ["portal/"],
    "forecasts": ["backend/forecasting/prophet_fit.py"],
    "engines": ["backend/engines/model_server.py"],
}
SAME_RELEASE = {"pydantic-core": "pydantic"}
"""Distributions that another one pins to a single version."""


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """All of a module's, at any depth; what is below an expression, a walk would go through too."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        for node in getattr(tree, field, ()):
            if isinstance(node, ast.stmt):
                yield node
            yield from statements(node)


def imports() -> Iterator[tuple[str, str]]:
    """Each file with each package that it imports, its own and Python's left out."""
    for file in sorted(file for package in OWN for file in (ROOT / package).rglob("*.py")):
        for node in statements(ast.parse(file.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                package = name.partition(".")[0]
                if package not in sys.stdlib_module_names | OWN:
                    yield file.relative_to(ROOT).as_posix(), package


def declared(requirements: list[str]) -> set[str]:
    """The distributions that these requirements name."""
    return {canonicalize_name(Requirement(line).name) for line in requirements}


@pytest.mark.slow  # what is installed is asked which packages it brings
def test_every_import_is_of_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    client = tomllib.loads((ROOT / "backend_client" / "pyproject.toml").read_text())["project"]
    base = declared(project["dependencies"])
    of_client = declared(client["dependencies"])
    extras = {
        extra: declared(requirements)
        for extra, requirements in project["optional-dependencies"].items()
    }
    brings = packages_distributions()
    undeclared: set[tuple[str, str]] = set()
    for file, package in imports():
        base_of_file = of_client if file.startswith("backend_client/") else base
        allowed = base_of_file.union(
            *(
                extras[extra]
                for extra, homes in HOMES.items()
                if any(file.startswith(home) for home in homes)
            )
        )
        distributions = {canonicalize_name(name) for name in brings.get(package, [])}
        if not {SAME_RELEASE.get(name, name) for name in distributions} & allowed:
            undeclared.add((file, package))
    assert undeclared == set()


def test_all_brings_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    (everything,) = (Requirement(line) for line in extras.pop("all"))
    assert everything.extras == extras.keys() == HOMES.keys()
