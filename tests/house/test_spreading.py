"""The suite is spread so that the cores are busy from its begin to its end."""

from __future__ import annotations

from itertools import cycle, groupby
from types import SimpleNamespace
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.paths import ROOT
from tests.support.spreading import next_piece, piece, pytest_xdist_make_scheduler

pytestmark = pytest.mark.fast

WAIT = [
    *(f"tests/journey/test_keys.py::test_{number}" for number in range(3)),
    "tests/outbox/test_crash.py::test_killed",
    "tests/platforms/test_crash.py::test_killed",
]
WORK = [
    f"tests/{file}::test_{number}"
    for file in ("wallets/test_wallets.py", "quotas/test_use.py", "pricing/test_tax.py")
    for number in range(4)
]


class Process:
    """A process of tests, which notes what it is given."""

    shutting_down = False
    gateway = SimpleNamespace(id="gw")

    def __init__(self) -> None:
        self.given: list[int] = []
        self.told_to_end = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.told_to_end = True


def scheduler(tests: list[str], processes: list[Process]) -> LoadScopeScheduling:
    def getoption(name: str) -> str:
        return {"dist": "loadfile"}[name]

    option = SimpleNamespace(loadscopereorder=False)
    config: Any = SimpleNamespace(
        rootpath=ROOT,
        option=option,
        getoption=getoption,
        getvalue={"tx": ["popen"] * len(processes)}.get,
    )
    of_tests = pytest_xdist_make_scheduler(config, None)
    assert of_tests is not None
    for process in processes:
        node: Any = process
        of_tests.add_node(node)
        of_tests.add_node_collection(node, tests)
    of_tests.schedule()
    return of_tests


def test_the_first_that_waits_begins_unless_all_others_wait() -> None:
    queue = ["waits", "works", "waits too", "works too"]

    def waits(name: str) -> bool:
        return name.startswith("waits")

    assert next_piece(queue, waits, others_wait=False) == "waits"
    assert next_piece(queue, waits, others_wait=True) == "works"
    assert next_piece(["waits too"], waits, others_wait=True) == "waits too"
    assert next_piece(["works too"], waits, others_wait=False) == "works too"


@pytest.mark.parametrize("turns", [(0, 1, 2), (2, 1, 0), (0, 1, 1, 1, 2, 2), (0, 0, 0, 1, 2)])
def test_one_process_works_while_the_others_wait(turns: tuple[int, ...]) -> None:
    """However fast each is, not all wait while some could work; and all are run, piece by piece."""
    tests, processes = WAIT + WORK, [Process() for _ in range(3)]
    works = [tests.index(test) for test in WORK]
    of_tests = scheduler(tests, processes)
    ended = [0, 0, 0]
    for turn in cycle(turns):
        process: Any = processes[turn]
        to_run = len(process.given) - ended[turn]
        if to_run > 1 or (to_run and process.told_to_end):  # it knows the next, or that none is
            running = [
                tests[given[done]]
                for given, done in zip((each.given for each in processes), ended, strict=True)
                if done < len(given)
            ]
            given = {index for each in processes for index in each.given}
            if len(given & set(works)) < len(works):
                assert len(set(running) & set(WAIT)) < len(processes)
            of_tests.mark_test_complete(process, process.given[ended[turn]])
            ended[turn] += 1
        if all(process.told_to_end for process in processes) and sum(ended) == len(tests):
            break
    assert sorted(index for each in processes for index in each.given) == list(range(len(tests)))
    for each in processes:
        pieces = [piece(tests[index]) for index in each.given]
        assert len([*groupby(pieces)]) == len(set(pieces))
