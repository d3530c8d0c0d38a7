"""A key gets a new secret, and the old one works for as long as was said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from backend.accounts.authenticator import Authenticator
from backend.errors import Unauthenticated
from backend.storage.database import Database
from backend.storage.tables import api_keys, audit_entries, retired_secrets
from backend_client.types.accounts import Role
from tests.accounts.conftest import Headers, Join

pytestmark = pytest.mark.engine


@pytest.fixture
async def key(api: httpx.AsyncClient, owner: Headers, application: str) -> dict[str, Any]:
    wanted = {"name": "A key", "application_id": application, "scopes": ["usage:read"]}
    return dict((await api.post("/v1/keys", headers=owner, json=wanted)).json())


async def holder(database: Database, secret: str) -> str | None:
    """Whose secret it is, as a replica that has just started sees it."""
    try:
        return (await Authenticator(database).authenticate(secret)).id
    except Unauthenticated:
        return None


async def rotate(
    api: httpx.AsyncClient, owner: Headers, key_id: str, **wanted: int
) -> httpx.Response:
    return await api.post(f"/v1/keys/{key_id}/rotate", headers=owner, json=wanted)


async def test_both_secrets_work_through_the_grace_period(
    api: httpx.AsyncClient, owner: Headers, database: Database, key: dict[str, Any]
) -> None:
    began = datetime.now(UTC)
    answer = await rotate(api, owner, key["id"], grace_seconds=3600)
    assert answer.status_code == 200, answer.text
    rotated = answer.json()
    assert rotated["id"] == key["id"]
    assert rotated["secret"] != key["secret"]
    assert rotated["last_four"] == rotated["secret"][-4:]
    until = datetime.fromisoformat(rotated["previous_until"])
    assert timedelta(seconds=3590) < until - began < timedelta(seconds=3610)
    assert await holder(database, key["secret"]) == key["id"]
    assert await holder(database, rotated["secret"]) == key["id"]
    shown = (await api.get(f"/v1/keys/{key['id']}", headers=owner)).json()
    assert (shown["rotated_at"], shown["previous_until"]) == (
        rotated["rotated_at"],
        rotated["previous_until"],
    )

    async with database.begin() as connection:
        await connection.execute(update(retired_secrets).values(works_until=datetime.now(UTC)))
    assert await holder(database, key["secret"]) is None
    assert await holder(database, rotated["secret"]) == key["id"]
    shown = (await api.get(f"/v1/keys/{key['id']}", headers=owner)).json()
    assert shown["previous_until"] is None


async def test_without_grace_the_old_secret_ends_at_once(
    api: httpx.AsyncClient, owner: Headers, database: Database, key: dict[str, Any]
) -> None:
    rotated = (await rotate(api, owner, key["id"], grace_seconds=0)).json()
    assert await holder(database, key["secret"]) is None
    assert await holder(database, rotated["secret"]) == key["id"]
    assert rotated["previous_until"] is None


async def test_without_grace_every_earlier_secret_ends(
    api: httpx.AsyncClient, owner: Headers, database: Database, key: dict[str, Any]
) -> None:
    second = (await rotate(api, owner, key["id"], grace_seconds=3600)).json()
    assert second["previous_count"] == 1
    third = (await rotate(api, owner, key["id"], grace_seconds=0)).json()
    assert (third["previous_count"], third["previous_until"]) == (0, None)
    assert await holder(database, key["secret"]) is None
    assert await holder(database, second["secret"]) is None
    assert await holder(database, third["secret"]) == key["id"]


async def test_a_grace_is_ended_early_and_the_present_secret_goes_on(
    api: httpx.AsyncClient, owner: Headers, database: Database, key: dict[str, Any]
) -> None:
    second = (await rotate(api, owner, key["id"], grace_seconds=3600)).json()
    third = (await rotate(api, owner, key["id"], grace_seconds=3600)).json()
    for _ in range(2):
        ended = await api.delete(f"/v1/keys/{key['id']}/previous", headers=owner)
        assert ended.status_code == 204
    assert await holder(database, key["secret"]) is None
    assert await holder(database, second["secret"]) is None
    assert await holder(database, third["secret"]) == key["id"]
    entries = (await api.get("/v1/audit?action=key.end_grace", headers=owner)).json()["items"]
    assert [entry["detail"] for entry in entries] == [{"secrets": 2}]
    assert (await api.delete("/v1/keys/key_none/previous", headers=owner)).status_code == 404


async def test_rotating_again_keeps_the_graces_that_were_given(
    api: httpx.AsyncClient, owner: Headers, database: Database, key: dict[str, Any]
) -> None:
    rotated = [(await rotate(api, owner, key["id"])).json()["secret"] for _ in range(5)]
    secrets = [key["secret"], *rotated]
    assert {await holder(database, secret) for secret in secrets} == {key["id"]}
    too_many = await rotate(api, owner, key["id"])
    assert (too_many.status_code, too_many.json()["code"]) == (409, "too_many_secrets")
    assert await holder(database, secrets[-1]) == key["id"]

    async with database.begin() as connection:
        await connection.execute(update(retired_secrets).values(works_until=datetime.now(UTC)))
    assert (await rotate(api, owner, key["id"])).status_code == 200
    async with database.begin() as connection:
        kept = await connection.scalar(select(func.count()).select_from(retired_secrets))
    assert kept == 1


@pytest.mark.parametrize("end", ["revoked_at", "expires_at"])
async def test_a_key_that_ends_takes_its_old_secrets_with_it(
    api: httpx.AsyncClient, owner: Headers, database: Database, key: dict[str, Any], end: str
) -> None:
    rotated = (await rotate(api, owner, key["id"])).json()
    if end == "revoked_at":
        await api.delete(f"/v1/keys/{key['id']}", headers=owner)
    else:
        async with database.begin() as connection:
            await connection.execute(update(api_keys).values(expires_at=datetime.now(UTC)))
    assert await holder(database, key["secret"]) is None
    assert await holder(database, rotated["secret"]) is None


async def test_what_can_not_be_rotated(
    api: httpx.AsyncClient, owner: Headers, join: Join, key: dict[str, Any]
) -> None:
    for wrong in (-1, 30 * 24 * 3600 + 1):
        refused = await rotate(api, owner, key["id"], grace_seconds=wrong)
        assert refused.json()["errors"][0]["field"] == "grace_seconds"
    assert (await rotate(api, owner, "key_none")).status_code == 404
    _, viewer = await join(Role.VIEWER)
    assert (await rotate(api, viewer, key["id"])).status_code == 403
    await api.delete(f"/v1/keys/{key['id']}", headers=owner)
    assert (await rotate(api, owner, key["id"])).status_code == 409


async def test_neither_secret_is_kept(
    api: httpx.AsyncClient, owner: Headers, database: Database, key: dict[str, Any]
) -> None:
    rotated = (await rotate(api, owner, key["id"])).json()
    async with database.begin() as connection:
        for table in (api_keys, retired_secrets, audit_entries):
            rows = repr((await connection.execute(select(table))).all())
            assert key["secret"] not in rows
            assert rotated["secret"] not in rows


async def test_its_name_and_limits_can_be_changed(
    api: httpx.AsyncClient, owner: Headers, database: Database, key: dict[str, Any]
) -> None:
    path = f"/v1/keys/{key['id']}"
    none = dict.fromkeys(("requests_per_minute", "tokens_per_minute", "concurrent_requests"))
    assert key["limits"] == none
    limits = none | {"requests_per_minute": 60}
    changed = await api.patch(path, headers=owner, json={"limits": {"requests_per_minute": 60}})
    assert (changed.json()["limits"], changed.json()["name"]) == (limits, "A key")
    renamed = await api.patch(path, headers=owner, json={"name": "Another"})
    assert (renamed.json()["limits"], renamed.json()["name"]) == (limits, "Another")
    principal = await Authenticator(database).authenticate(key["secret"])
    assert principal.limits.requests_per_minute == 60
    for wrong in ({"limits": {"requests_per_minute": 0}}, {"limits": {"sheep": 1}}, {"name": ""}):
        assert (await api.patch(path, headers=owner, json=wrong)).status_code == 422
    lifted = await api.patch(path, headers=owner, json={"limits": {}})
    assert lifted.json()["limits"] == none
