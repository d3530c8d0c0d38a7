"""Each test bears one kind: its own, or that of its module."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.kinds import settle_kinds

pytestmark = pytest.mark.fast


class Node:
    """A module as pytest collects it, with its marks."""

    def __init__(self, *marks: str) -> None:
        self.own_markers = [SimpleNamespace(name=name) for name in marks]


class Test(Node):
    """A test, with its module."""

    __test__ = False

    def __init__(self, module: list[str], own: list[str], fixtures: Sequence[str] = ()) -> None:
        super().__init__(*own)
        self.fixturenames = list(fixtures)
        self.nodeid = f"test_of_{own}_in_{module}"
        self.module = Node("timeout", *module)

    def listchain(self) -> list[Any]:
        return [self.module, self]

    def add_marker(self, name: str) -> None:
        self.own_markers.append(SimpleNamespace(name=name))

    def marks(self) -> list[str]:
        return [mark.name for node in self.listchain() for mark in node.own_markers]


def test_a_tests_own_kind_goes_before_its_modules() -> None:
    items: list[Any] = [Test(["engine"], []), Test(["engine"], ["fast"]), Test([], ["crash"])]
    settle_kinds(items)
    assert [item.marks() for item in items] == [
        ["timeout", "engine"],
        ["timeout", "fast"],
        ["timeout", "crash"],
    ]


@pytest.mark.parametrize(
    ("module", "own"), [([], []), (["engine", "crash"], []), (["fast"], ["engine", "browser"])]
)
def test_no_kind_and_several_are_refused(module: list[str], own: list[str]) -> None:
    wrong: Any = Test(module, own)
    with pytest.raises(pytest.UsageError, match="exactly one mark") as caught:
        settle_kinds([wrong])
    assert wrong.nodeid in str(caught.value)


@pytest.mark.parametrize("kind", ["fast", "slow"])
def test_what_needs_no_engine_starts_none(kind: str) -> None:
    wrong: Any = Test([], [kind], ["tenant", "postgres_url"])
    with pytest.raises(pytest.UsageError, match="starts an engine") as caught:
        settle_kinds([wrong])
    assert wrong.nodeid in str(caught.value)
