"""A module that calls itself pure is held to it: import-linter refuses what it may not import."""

from __future__ import annotations

import ast
import re
import tomllib
from fnmatch import fnmatchcase

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.fast

SAYS_SO = re.compile(r"(?:^|[.;]\s+)Pure\b")
"""A sentence that begins so is about the module itself, and not about a part of its room."""


def held() -> list[str]:
    """The modules that the contracts of pure ones name, with what is within them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return [
        module
        for contract in contracts["contracts"]
        if contract["type"] == "forbidden" and "sqlalchemy" in contract["forbidden_modules"]
        for module in contract["source_modules"]
    ]


def is_held(module: str, names: list[str]) -> bool:
    parts = module.split(".")
    within = [".".join(parts[: end + 1]) for end in range(len(parts))]
    return any(
        fnmatchcase(folder, name) and folder.count(".") == name.count(".")
        for folder in within
        for name in names
    )


def test_what_calls_itself_pure_is_in_a_contract() -> None:
    names = held()
    pure = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in sorted((ROOT / "backend").rglob("*.py"))
        if "Pure" in (source := file.read_text())  # else it need not be parsed
        and SAYS_SO.search(ast.get_docstring(ast.parse(source)) or "")
    ]
    assert len(pure) > 30
    assert [module for module in pure if not is_held(module, names)] == []


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("backend.pricing.rating.years", True),
        ("backend.platforms.orb.fits", True),
        ("backend.platforms.orb", False),
        ("backend.invoices.settling", False),
    ],
)
def test_a_contract_holds_what_is_within_its_modules(module: str, expected: bool) -> None:
    names = ["backend.pricing", "backend.platforms.*.fits", "backend.invoices.rules"]
    assert is_held(module, names) is expected
