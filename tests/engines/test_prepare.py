"""What a role does to an empty database before it serves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from backend.commands.prepare import prepare_database
from backend.engines.services import PROJECT
from backend.errors import ConfigurationError
from backend.ids import new_id
from backend.settings import Settings

pytestmark = pytest.mark.engine


async def test_many_replicas_at_once_make_one_schema_and_one_catalog(
    postgres_url: str, tmp_path: Path
) -> None:
    name = new_id("evt")
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE DATABASE {name}")
    settings = Settings(
        database_url=postgres_url.replace("/postgres?", f"/{name}?"),
        home=tmp_path,
        catalog=PROJECT / "catalog.yaml",
    )
    await asyncio.gather(*(prepare_database(settings) for _ in range(4)))

    own = await asyncpg.connect(settings.database_url)
    plans = await own.fetch("SELECT plan_id, version FROM plan_versions")
    assert plans
    assert {plan["version"] for plan in plans} == {1}

    # A catalog that was applied is the operator's own: a file on disk no longer changes it
    await own.execute("DELETE FROM plan_versions WHERE plan_id = $1", plans[0]["plan_id"])
    await prepare_database(settings)
    assert len(await own.fetch("SELECT plan_id FROM plan_versions")) == len(plans) - 1
    await own.close()
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


async def test_a_database_out_of_reach_is_told_in_a_sentence(tmp_path: Path) -> None:
    settings = Settings(database_url="postgresql://127.0.0.1:1/none", home=tmp_path)
    with pytest.raises(ConfigurationError, match="can't be reached"):
        await prepare_database(settings)


async def test_a_database_that_is_not_there_is_told_in_a_sentence(
    postgres_url: str, tmp_path: Path
) -> None:
    url = postgres_url.replace("/postgres?", "/nowhere?")
    with pytest.raises(ConfigurationError, match='database "nowhere" does not exist'):
        await prepare_database(Settings(database_url=url, home=tmp_path))


async def test_no_database_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL is not set"):
        await prepare_database(Settings(home=tmp_path))
