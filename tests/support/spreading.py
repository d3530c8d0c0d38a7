"""How the suite is spread over processes (``make test``), and in which order it runs there.

A file stays in one process, so that what its tests share is made once. So do the files that share
the built portal or the document of the API, and those that kill under load, which take the whole
machine. The longest pieces start first, and the many short ones fill what is left.

Tests that drive a browser or kill what they started wait more than they work. In one process works
what does not wait, as long as there is such a piece: without it the cores would be idle now and
then, and what works would come afterwards, more of it at once than there are cores. So there is one
process more than cores; but not for the fast tests, which wait for nothing. The journeys are two
pieces, for one would take longer than all else beside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.support.kinds import kinds_of

_TOGETHER = {
    **{
        f"tests/journey/test_{name}.py": "journeys through all pages"
        for name in (
            *("access", "addresses", "bars", "docs", "leaving", "no_api", "shell"),
            *("customers", "outage", "single_sign_on", "strangers"),  # with installations of theirs
        )
    },
    "tests/journey/": "whole installations",
    "tests/engines/test_up.py": "whole installations",
    "tests/crash/": "crashes",
    "tests/api/test_openapi_document.py": "the API's document",
    "tests/api/test_permissions.py": "the API's document",
    "tests/api/test_query_parameters.py": "the API's document",
    "tests/api/test_quick_calls.py": "the API's document",
    "tests/api/test_unknown_fields.py": "the API's document",
    "tests/client/test_routes.py": "the API's document",
    "tests/docs/test_fields.py": "the API's document",
    "tests/docs/test_permissions.py": "the API's document",
    # Both take long to import or to read, whatever little a file needs of them
    "tests/portal/": "the portal",
    "tests/metering/tokens/": "the tokenizers",
}
_ORDER = ("browser", "crash", "slow", "engine", "fast")
_WAIT = ("browser", "crash")
_KNOWN_AHEAD = 2
"""A process begins a test when it has been given the one after it, or told that there is none."""


def piece(nodeid: str) -> str:
    """The name of what runs in one process: a file, or files that share something."""
    file = nodeid.partition("::")[0]
    return next((name for path, name in _TOGETHER.items() if file.startswith(path)), file)


def next_piece(queue: Iterable[str], waits: Callable[[str], bool], *, others_wait: bool) -> str:
    """The first that waits, or where all others do, the first that works; else the first."""
    pieces = list(queue)
    return next((name for name in pieces if waits(name) is not others_wait), pieces[0])


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Order tests by how long they may take and their kind does, and keep each piece whole.

    Of a kind, pieces of several files come before those of one.
    """
    ranks: dict[str, tuple[bool, int, bool]] = {}
    for item in items:
        [kind] = kinds_of(item)
        name = piece(item.nodeid)
        rank = (not _may_take_long(item), _ORDER.index(kind), item.nodeid.startswith(name))
        ranks[name] = min(rank, ranks.get(name, rank))
    return sorted(items, key=lambda item: ranks[piece(item.nodeid)])


def _may_take_long(item: pytest.Item) -> bool:
    """Whether a test has more time than others, which it then needs on a busy machine."""
    mark = item.get_closest_marker("timeout")
    return mark is not None and mark.args[0] > float(item.config.getini("timeout"))


class _ByPiece(LoadScopeScheduling):
    """Gives a process its next piece when it begins the last test of the one before."""

    def _split_scope(self, nodeid: str) -> str:
        return piece(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        others = [pieces for other, pieces in self.assigned_work.items() if other is not node]
        others_wait = bool(others) and all(
            any(
                _waits(self.config.rootpath, tests)
                for tests in pieces.values()
                if not all(tests.values())
            )
            for pieces in others
        )
        name = next_piece(
            self.workqueue,
            lambda name: _waits(self.config.rootpath, self.workqueue[name]),
            others_wait=others_wait,
        )
        self.workqueue.move_to_end(name, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        # xdist gives two tests more, of two of the longest pieces perhaps, while others are idle
        if not self.workqueue or self._pending_of(self.assigned_work[node]) < _KNOWN_AHEAD:
            super()._reschedule(node)


def _waits(root: Path, tests: Iterable[str]) -> bool:
    """Whether tests of a piece wait more than they work, by the marks that their files name."""
    files = {nodeid.partition("::")[0] for nodeid in tests}
    return any(kind in _kinds_named(root / file) for file in files for kind in _WAIT)


@cache
def _kinds_named(file: Path) -> frozenset[str]:
    return frozenset(re.findall(r"\bmark\.(\w+)", file.read_text()))


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """What ``--numprocesses auto`` means; a number that a variable names is meant as it is."""
    cores = yield
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ or config.option.markexpr == "fast":
        return cores
    return cores + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    return _ByPiece(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items[:] = longest_first(items)


def pytest_configure(config: pytest.Config) -> None:
    # xdist would put the pieces with the most tests first
    config.option.loadscopereorder = False
