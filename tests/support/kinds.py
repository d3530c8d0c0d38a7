"""Every test bears exactly one kind, which says what it needs and how long it may take.

A module's kind (``pytestmark``) is that of its tests that bear none themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

KINDS = ("fast", "slow", "engine", "crash", "browser")
"""What each means stands in pyproject.toml, with the other markers."""
_ENGINES = {"postgres_url", "nats_url", "local_model"}
"""The fixtures that start engines, which a test may ask for by way of others."""


def kinds_of(item: pytest.Item) -> list[str]:
    """The kinds that a test bears: one, or the test is wrong."""
    for node in reversed(item.listchain()):
        if kinds := [kind for kind in KINDS if kind in _marks_of(node)]:
            return kinds
    return []


def settle_kinds(items: Sequence[pytest.Item]) -> None:
    """Leave each test the one mark of its kind, so that ``-m engine`` takes no fast one too.

    Raises:
        pytest.UsageError: some tests bear no kind, which ``make fast`` would miss, or several; or
            are said to need no engine, and start one.
    """
    kinds = {item: kinds_of(item) for item in items}
    if wrong := [item.nodeid for item, names in kinds.items() if len(names) != 1]:
        raise pytest.UsageError(
            f"A test, or its module, bears exactly one mark of {', '.join(KINDS)}. "
            "These do not:\n" + "\n".join(wrong)
        )
    if wrong := [item.nodeid for item, [kind] in kinds.items() if _starts_more(item, kind)]:
        raise pytest.UsageError(
            "These are fast or slow, and have a fixture, perhaps an autouse one of their conftest, "
            "that starts an engine:\n" + "\n".join(wrong)
        )
    for node in {node for item in items for node in item.listchain()}:
        node.own_markers[:] = [mark for mark in node.own_markers if mark.name not in KINDS]
    for item, [kind] in kinds.items():
        item.add_marker(kind)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    settle_kinds(items)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out of ``-m fast`` the files that name no such mark: importing them takes seconds.

    And the directories that have no other, for importing their conftest takes as long.
    """
    if config.option.markexpr != "fast":
        return None
    if collection_path.is_dir() or collection_path.match("test_*.py"):
        return collection_path not in _with_fast_tests(config.rootpath / "tests") or None
    return None


@cache
def _with_fast_tests(tests: Path) -> frozenset[Path]:
    """The files in a folder that name the mark, and the folders that they are in."""
    files = {file for file in tests.rglob("test_*.py") if "mark.fast" in file.read_text()}
    return frozenset(files).union(*(file.parents for file in files))


def _starts_more(item: pytest.Item, kind: str) -> bool:
    """Whether a test starts an engine though its kind says that it needs none."""
    names: Sequence[str] = getattr(item, "fixturenames", ())
    return kind in {"fast", "slow"} and not _ENGINES.isdisjoint(names)


def _marks_of(node: pytest.Item | pytest.Collector) -> set[str]:
    return {mark.name for mark in node.own_markers}
