"""``farebox catalog``, as an operator runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backend.catalog.published import list_plans
from backend.storage.database import Database

pytestmark = pytest.mark.engine

CATALOG = """\
version: 1
default_plan: basic
models: []
plans:
  - id: basic
    name: Basic
"""


def farebox(
    database_url: str, folder: Path, *arguments: str, act: str = "apply"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backend.cli", "catalog", act, *arguments],
        env={"DATABASE_URL": database_url, "FAREBOX_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def test_check_tells_and_apply_does(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(CATALOG)

    checked = farebox(database_url, tmp_path, "--check", str(path))
    assert (checked.returncode, checked.stdout) == (
        0,
        "plan basic: a new version would be published\n",
    )
    async with database.begin() as connection:
        assert await list_plans(connection) == []

    applied = farebox(database_url, tmp_path, str(path))
    assert (applied.returncode, applied.stdout) == (0, "plan basic: a new version published\n")
    async with database.begin() as connection:
        assert [plan.definition.id for plan in await list_plans(connection)] == ["basic"]

    again = farebox(database_url, tmp_path, str(path))
    assert again.stdout == "Nothing changed: this catalog is on sale already.\n"


def test_what_is_on_sale_is_written_and_applied_again(database_url: str, tmp_path: Path) -> None:
    none = farebox(database_url, tmp_path, act="export")
    assert (none.returncode, none.stderr) == (1, "farebox: No catalog was applied yet.\n")
    path, written = tmp_path / "catalog.yaml", tmp_path / "written.yaml"
    path.write_text(CATALOG)
    assert farebox(database_url, tmp_path, str(path)).returncode == 0
    shown = farebox(database_url, tmp_path, act="export")
    assert shown.stdout.endswith(CATALOG + "    currency: USD\n")
    assert farebox(database_url, tmp_path, str(written), act="export").returncode == 0
    assert written.read_text() == shown.stdout
    again = farebox(database_url, tmp_path, str(written))
    assert again.stdout == "Nothing changed: this catalog is on sale already.\n"
    twice = farebox(database_url, tmp_path, str(written), act="export")
    assert twice.returncode == 1
    assert twice.stderr.endswith("written.yaml can't be written: File exists.\n")


def test_a_mistake_is_one_sentence(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(CATALOG + "    price: 3\n")
    done = farebox(database_url, tmp_path, str(path))
    assert done.returncode == 1
    assert done.stderr == (
        "farebox: catalog.yaml, line 7, plans.0.price: Extra inputs are not permitted\n"
    )


def test_an_unreachable_database_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(CATALOG)
    done = farebox("postgresql://nobody@127.0.0.1:1/none", tmp_path, str(path))
    assert done.returncode == 1
    assert done.stderr.startswith("farebox: PostgreSQL can't be reached")
    assert "Traceback" not in done.stderr
