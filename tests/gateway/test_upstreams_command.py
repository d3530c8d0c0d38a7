"""``farebox upstreams``: an operator sets a model provider without writing a request."""

from __future__ import annotations

import asyncio
import json

import pytest
from pydantic import SecretStr

from backend.settings import Settings
from tests.support.commands import run_farebox

pytestmark = pytest.mark.engine

SECRET = "their-key-0123456789"


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    return api_settings.model_copy(update={"upstreams": [], "secrets_key": SecretStr("k" * 32)})


async def test_an_upstream_is_set_shown_changed_and_deleted(
    url: str, api_settings: Settings
) -> None:
    assert api_settings.database_url is not None
    environment = {
        "DATABASE_URL": api_settings.database_url,
        "FAREBOX_HOME": str(api_settings.home),
        "FAREBOX_API_PORT": url.rpartition(":")[2],
        "COLUMNS": "200",
    }

    async def run(*arguments: str, typed: str = "") -> tuple[int, str]:
        done = await asyncio.to_thread(
            run_farebox, "upstreams", *arguments, environment=environment, typed=typed
        )
        assert SECRET not in done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    terms = {
        "base_url": "http://127.0.0.1:1/v1",
        "models": {"fast": "own-name"},
        "keys": [{"secret": SECRET}],
    }
    assert (await run("set", "main", "-", typed=json.dumps(terms)))[0] == 0
    status, listed = await run("list")
    assert (status, "main: openai at http://127.0.0.1:1/v1" in listed) == (0, True)
    assert "1 key" in listed
    assert "fast as own-name" in listed

    status, outcome = await run("test", "main")
    assert (status, "own-name by chat: no answer after" in outcome) == (1, True)

    _, shown = await run("show", "main")
    changed = json.loads(shown) | {"weight": 3}
    assert "keys" not in changed
    assert (await run("set", "main", "-", typed=json.dumps(changed)))[0] == 0
    assert "weight 3, 1 key" in (await run("list"))[1]

    moved = changed | {"base_url": "https://elsewhere.example/v1"}
    status, why = await run("set", "main", "-", typed=json.dumps(moved))
    assert (status, "base_url is another" in why) == (1, True)
    wrong = terms | {"priorty": 1, "base_url": 7}
    status, why = await run("set", "main", "-", typed=json.dumps(wrong))
    assert (status, "priorty" in why, "base_url" in why) == (1, True, True)
    assert (await run("set", "main", "/no/such/file"))[0] == 1

    assert (await run("disable", "main"))[0] == 1  # nobody else serves its model
    assert (await run("disable", "main", "--leave-unserved"))[0] == 0
    assert "  disabled\n" in (await run("list"))[1]
    assert (await run("enable", "main"))[0] == 0
    assert (await run("retire", "main", "--leave-unserved"))[0] == 0
    status, why = await run("test", "main")
    assert (status, "retired" in why) == (1, True)
    assert (await run("delete", "main"))[0] == 0
    assert (await run("delete", "main"))[0] == 1
    assert (await run("list")) == (0, "")
