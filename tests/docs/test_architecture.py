"""docs/architecture.md against the code: floors, rooms, the road, the ladder, the tasks."""

from __future__ import annotations

import ast
import re
import tomllib
from datetime import timedelta
from importlib import import_module
from inspect import getclosurevars

import pytest

from backend.worker import TASKS, Task
from tests.docs.pages import DOCS, ROOT

pytestmark = pytest.mark.fast

PAGE = (DOCS / "architecture.md").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

BESIDE_PASSES = {
    "invoices": ("backend.invoices.worker", "_TRY_AGAIN"),
    "outbox": ("backend.outbox.worker", "_CLEAR_UP_EVERY"),
    "forecasts": ("backend.forecasting.worker", "_TEST_EVERY"),
    "platforms": ("backend.platforms.worker", "_COMPARE_EVERY"),
}
"""Where a task keeps how often it does what it does not do in every pass."""


def section(heading: str) -> str:
    after = PAGE[PAGE.index(f"## {heading}\n") + 3 :]
    return after.partition("\n## ")[0]


def rows(heading: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_floors_are_those_of_the_contract() -> None:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    layers = next(
        contract["layers"] for contract in contracts if contract.get("containers") == ["backend"]
    )
    assert [cells[0].strip("`") for cells in rows("The floors")] == layers


def test_every_room_has_its_row() -> None:
    listed = {cells[0].strip("`") for cells in rows("The directories")}
    rooms = {
        f"{package}/{folder.name}/"
        for package in ("backend", "portal")
        for folder in (ROOT / package).iterdir()
        if (folder / "__init__.py").exists()
    }
    assert rooms | {"backend_client/", "edge/", "tests/", "tools/", "benchmarks/"} == listed


def test_every_room_says_what_it_is() -> None:
    for package in ("backend", "portal", "backend_client", "edge"):
        for init in (ROOT / package).rglob("__init__.py"):
            if init.parent.name != "versions":
                assert ast.get_docstring(ast.parse(init.read_text())), init


def test_the_ladder_names_types_where_they_are() -> None:
    for step, path, _ in rows("The ladder of lines"):
        name = step.split("`")[1]
        defined = rf"class {name}\b|\b{name} = Table\("
        assert re.search(defined, (ROOT / path.strip("`")).read_text()), (name, path)


def test_the_road_is_numbered_and_names_functions_that_are_there() -> None:
    steps = rows("The road of a call")
    assert [int(step) for step, _, _ in steps] == list(range(1, len(steps) + 1))
    for _, path, text in steps:
        source = (ROOT / path.strip("`")).read_text()
        for name in re.findall(r"`(\w+)`", text):
            assert f"def {name}(" in source, (name, path)


def test_the_table_of_tasks_is_the_workers() -> None:
    assert rows("What the worker runs") == [
        [f"`{task.name}`", _how_often(task.every_seconds), task.what, task.only_with]
        for task in TASKS
    ]


@pytest.mark.parametrize("name", BESIDE_PASSES)
def test_a_task_tells_what_it_does_beside_its_passes(name: str) -> None:
    [what] = [task.what for task in TASKS if task.name == name]
    module, constant = BESIDE_PASSES[name]
    assert _in_words(getattr(import_module(module), constant)) in what


def _how_often(every_seconds: float | None) -> str:
    return "as it comes" if every_seconds is None else f"every {every_seconds:g} s"


def _in_words(interval: timedelta) -> str:
    return {timedelta(hours=1): "every hour", timedelta(days=1): "every day"}[interval]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_task_runs_a_worker_of_its_rooms_worker_file(task: Task) -> None:
    named = getclosurevars(task.start).globals.values()
    (worker,) = [value for value in named if isinstance(value, type) and hasattr(value, "run")]
    assert worker.__module__.endswith(".worker")
    words = "".join(word.capitalize() for word in task.name.split("_"))
    assert worker.__name__ == f"{words}Worker"
