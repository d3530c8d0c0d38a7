"""``farebox catalog``, as an operator runs it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from backend.catalog.published import list_plans
from backend.storage.database import Database
from backend.storage.tables import daily_rollups
from tests.support.commands import run_farebox

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
    environment = {"DATABASE_URL": database_url, "FAREBOX_HOME": str(folder / "home")}
    return run_farebox("catalog", act, *arguments, environment=environment)


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


async def test_what_may_be_a_mistake_is_said(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(CATALOG + "  - id: team\n    name: Team\n")
    assert farebox(database_url, tmp_path, str(path)).returncode == 0
    charge = "{id: a, name: A, kind: per_unit, meters: [input_tokns, seconds, gpu], price: 1}"
    path.write_text(CATALOG + f"    currency: XYZ\n    charges:\n      - {charge}\n")
    row = {"tenant_id": "ten_1", "day": datetime(2026, 3, 1, tzinfo=UTC), "application_id": "a"}
    row |= {"key_id": "", "model": "m", "meter": "gpu", "quantity": 1, "event_count": 1}
    async with database.begin() as connection:
        await connection.execute(insert(daily_rollups).values(row))

    checked = farebox(database_url, tmp_path, "--check", str(path))
    assert checked.stdout.splitlines() == [
        "plan basic: a new version would be published",
        "plan team: would be taken off sale; who is on it stays on it",
        "Look again: plan basic: ISO 4217 has no currency XYZ",
        "Look again: plan basic: no event ever had the meter input_tokns; is input_tokens meant?",
        "Look again: plan basic: no event ever had the meter seconds",
    ]
    assert "plan team: taken off sale" in farebox(database_url, tmp_path, str(path)).stdout
    async with database.begin() as connection:
        assert [plan.definition.id for plan in await list_plans(connection)] == ["basic"]
    assert "taken off sale" not in farebox(database_url, tmp_path, str(path)).stdout


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
