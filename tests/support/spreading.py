"""How the suite is spread over processes (``make test``), and in which order it runs there.

A file stays in one process, so that what its tests share is made once. So do the files that share
the built portal, and those that kill under load, which take the whole machine. The longest pieces
start first, and the many short ones fill what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.kinds import kinds_of

_TOGETHER = {
    "tests/journey/": "whole installations",
    "tests/engines/test_up.py": "whole installations",
    "tests/crash/": "crashes",
}
_ORDER = ("browser", "crash", "slow", "engine", "fast")


class _ByFile(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return piece(nodeid)


def piece(nodeid: str) -> str:
    """The name of what runs in one process: a file, or files that share something."""
    file = nodeid.partition("::")[0]
    return next((name for path, name in _TOGETHER.items() if file.startswith(path)), file)


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Order tests by how long their kind takes, and keep each piece whole."""
    ranks: dict[str, int] = {}
    for item in items:
        [kind] = kinds_of(item)
        rank = _ORDER.index(kind)
        name = piece(item.nodeid)
        ranks[name] = min(rank, ranks.get(name, rank))
    return sorted(items, key=lambda item: ranks[piece(item.nodeid)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    return _ByFile(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items[:] = longest_first(items)


def pytest_configure(config: pytest.Config) -> None:
    # xdist would put the pieces with the most tests first
    config.option.loadscopereorder = False
