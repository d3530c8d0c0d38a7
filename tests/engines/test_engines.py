"""The embedded engines, each on its own."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import nats
import pytest
from nats.errors import Error as NatsError

from backend.engines.nats import start_nats
from backend.engines.postgres import start_postgres
from backend.errors import ConfigurationError
from tests.support.ports import free_port

pytestmark = pytest.mark.engine


async def test_postgres_keeps_its_data_over_a_stop_and_a_kill(engines_home: Path) -> None:
    data = engines_home / "kept"
    postgres = start_postgres(data)
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('here')")
    await connection.close()
    postgres.process.kill()
    postgres.process.wait()

    for _ in range(2):
        postgres = start_postgres(data)
        connection = await asyncpg.connect(postgres.url)
        assert await connection.fetchval("SELECT word FROM kept") == "here"
        await connection.close()
        postgres.stop()
        assert postgres.process.returncode == 0


async def test_postgres_starts_in_a_path_with_spaces_and_signs(engines_home: Path) -> None:
    postgres = start_postgres(engines_home / "it's a #1? home" / "postgres")
    connection = await asyncpg.connect(postgres.url)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    postgres.stop()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("long" * 30, "Set FAREBOX_HOME to a shorter one"), ("a,b", "Set FAREBOX_HOME to another")],
)
def test_a_path_that_no_socket_can_have_says_what_to_do(
    engines_home: Path, name: str, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        start_postgres(engines_home / name / "postgres")


async def test_nats_lets_in_only_who_knows_the_token(engines_home: Path) -> None:
    server = start_nats(engines_home / "private", port=free_port())
    client = await nats.connect(server.url)
    assert (await client.jetstream().account_info()).streams == 0
    await client.close()

    with pytest.raises(NatsError):
        await nats.connect(
            "nats://" + server.url.rpartition("@")[2],
            allow_reconnect=False,
            error_cb=_ignore,
        )
    server.stop()


async def _ignore(_error: Exception) -> None:
    """Refusals are what the test expects; nats-py would log them as well."""
