"""API keys: shown once, kept as a hash, limited in what, where and until when."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import event, select, update

from backend.accounts.authenticator import Authenticator
from backend.accounts.principal import Principal
from backend.accounts.secrets import API_KEY
from backend.errors import Unauthenticated
from backend.storage.database import Database
from backend.storage.tables import api_keys, audit_entries
from backend_client.types.accounts import Role
from tests.accounts.conftest import Headers, Join
from tests.support.waiting import a_second_after

pytestmark = pytest.mark.engine

Make = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def make(api: httpx.AsyncClient, owner: Headers, application: str) -> Make:
    async def made(**wanted: Any) -> dict[str, Any]:
        body = {"name": "A key", "application_id": application} | wanted
        answer = await api.post("/v1/keys", headers=owner, json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    return made


def bearer(key: dict[str, Any]) -> Headers:
    return {"authorization": f"Bearer {key['secret']}"}


async def refusal(authenticator: Authenticator, token: str) -> bool:
    try:
        await authenticator.authenticate(token)
    except Unauthenticated:
        return True
    return False


async def test_the_secret_is_shown_once_and_kept_as_a_hash(
    api: httpx.AsyncClient, owner: Headers, database: Database, make: Make
) -> None:
    key = await make()
    assert key["secret"].startswith("fb_live_")
    assert (key["prefix"], key["last_four"]) == ("fb_live_", key["secret"][-4:])
    for path in ("/v1/keys", f"/v1/keys/{key['id']}"):
        shown = await api.get(path, headers=owner)
        assert key["id"] in shown.text
        assert key["secret"] not in shown.text
        assert "secret" not in shown.text
    async with database.begin() as connection:
        row = (await connection.execute(select(api_keys))).mappings().one()
    assert key["secret"] not in repr(row)
    assert bytes(row["secret_hash"]) == hashlib.sha256(key["secret"].encode()).digest()


async def test_secrets_are_long_and_never_the_same(make: Make) -> None:
    secrets = {(await make())["secret"] for _ in range(20)}
    assert len(secrets) == 20
    assert min(map(len, secrets)) >= len("fb_live_") + 43  # 256 bits in base64


async def test_a_revoked_key_is_refused_within_a_second_by_every_replica(
    api: httpx.AsyncClient, owner: Headers, database: Database, make: Make
) -> None:
    key = await make(scopes=["usage:read"])
    assert (await api.get("/v1/usage", headers=bearer(key))).status_code == 200
    replica = Authenticator(database)
    await replica.authenticate(key["secret"])
    for _ in range(2):
        gone = await api.delete(f"/v1/keys/{key['id']}", headers=owner)
        assert gone.status_code == 204
    await a_second_after(time.monotonic())
    assert (await api.get("/v1/usage", headers=bearer(key))).status_code == 401
    assert await refusal(replica, key["secret"])
    shown = (await api.get(f"/v1/keys/{key['id']}", headers=owner)).json()
    assert shown["revoked_at"] is not None


async def test_a_key_ends_at_its_expiry(
    api: httpx.AsyncClient, owner: Headers, application: str, database: Database, make: Make
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    key = await make(expires_at=soon.isoformat())
    assert not await refusal(Authenticator(database), key["secret"])
    async with database.begin() as connection:
        await connection.execute(update(api_keys).values(expires_at=datetime.now(UTC)))
    assert await refusal(Authenticator(database), key["secret"])
    past = await api.post(
        "/v1/keys",
        headers=owner,
        json={"name": "Late", "application_id": application, "expires_at": "2020-01-01T00:00:00Z"},
    )
    assert (past.status_code, past.json()["errors"][0]["field"]) == (422, "expires_at")


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("inference", {"/v1/models"}),
        ("usage:read", {"/v1/usage", "/v1/spend", "/v1/applications"}),
        ("events:write", {"/v1/events"}),
    ],
)
async def test_a_key_can_do_what_its_scope_says_and_no_more(
    api: httpx.AsyncClient, make: Make, scope: str, allowed: set[str]
) -> None:
    key = await make(scopes=[scope])
    paths = {"/v1/models", "/v1/usage", "/v1/spend", "/v1/applications", "/v1/keys", "/v1/members"}
    open_to_it = set()
    for path in paths:
        answer = await api.get(path, headers=bearer(key))
        assert answer.status_code in {200, 403}, answer.text
        if answer.status_code == 200:
            open_to_it.add(path)
    sent = await api.post("/v1/events", headers=bearer(key), json=[])
    if sent.status_code == 202:
        open_to_it.add("/v1/events")
    assert open_to_it == allowed


async def test_a_key_can_not_make_or_revoke_keys(
    api: httpx.AsyncClient, application: str, make: Make
) -> None:
    key = await make(scopes=["inference", "usage:read", "events:write"])
    body = {"name": "Another", "application_id": application}
    assert (await api.post("/v1/keys", headers=bearer(key), json=body)).status_code == 403
    assert (await api.delete(f"/v1/keys/{key['id']}", headers=bearer(key))).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"models": ["none"]},
        {"models": []},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"name": ""},
        {"name": "x" * 101},
        {"expires_at": "2090-01-01T00:00:00"},
        {"color": "blue"},
    ],
    ids=str,
)
async def test_what_can_not_be_is_refused_by_field(
    api: httpx.AsyncClient, owner: Headers, application: str, wrong: dict[str, Any]
) -> None:
    body = {"name": "A key", "application_id": application} | wrong
    answer = await api.post("/v1/keys", headers=owner, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].split(".")[0] == next(iter(wrong))


async def test_a_key_is_of_its_application_and_models(
    database: Database, application: str, make: Make
) -> None:
    key = await make(models=["sample-small"])
    principal: Principal = await Authenticator(database).authenticate(key["secret"])
    assert principal.application_id == application
    assert principal.models == {"sample-small"}
    assert (await Authenticator(database).authenticate((await make())["secret"])).models is None


async def test_its_last_use_is_noted_to_the_minute(
    api: httpx.AsyncClient, owner: Headers, database: Database, make: Make
) -> None:
    key = await make()
    assert key["last_used_at"] is None
    seen = []
    for _ in range(2):
        await Authenticator(database).authenticate(key["secret"])
        seen.append((await api.get(f"/v1/keys/{key['id']}", headers=owner)).json()["last_used_at"])
    assert seen[0] is not None
    assert seen[0] == seen[1]


async def test_a_repeated_create_makes_no_second_key(
    api: httpx.AsyncClient, owner: Headers, application: str
) -> None:
    headers = owner | {"idempotency-key": "once"}
    body = {"name": "A key", "application_id": application}
    answers = await asyncio.gather(
        *(api.post("/v1/keys", headers=headers, json=body) for _ in range(4))
    )
    by_status = sorted(answers, key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in by_status] == [201, 409, 409, 409]
    key = by_status[0].json()
    for repeated in by_status[1:]:
        assert repeated.json()["code"] == "key_already_created"
        assert key["id"] in repeated.json()["detail"]
        assert key["secret"] not in repeated.text
    different = await api.post("/v1/keys", headers=headers, json=body | {"name": "Another"})
    assert (different.status_code, different.json()["code"]) == (409, "idempotency_key_reused")
    assert key["id"] not in different.text
    assert len((await api.get("/v1/keys", headers=owner)).json()["items"]) == 1


async def test_a_refused_create_leaves_its_idempotency_key_unused(
    api: httpx.AsyncClient, owner: Headers, application: str
) -> None:
    headers = owner | {"idempotency-key": "once"}
    refused = await api.post(
        "/v1/keys", headers=headers, json={"name": "A key", "application_id": "app_none"}
    )
    assert refused.status_code == 404
    body = {"name": "A key", "application_id": application}
    assert (await api.post("/v1/keys", headers=headers, json=body)).status_code == 201


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.OPERATOR])
async def test_developers_make_keys_and_everybody_sees_them(
    api: httpx.AsyncClient, application: str, join: Join, role: Role
) -> None:
    user, headers = await join(role)
    body = {"name": "A key", "application_id": application}
    answer = await api.post("/v1/keys", headers=headers, json=body)
    may = role in {Role.OWNER, Role.ADMIN, Role.DEVELOPER}
    assert answer.status_code == (201 if may else 403)
    if may:
        assert answer.json()["created_by"] == user
    assert (await api.get("/v1/keys", headers=headers)).status_code == 200


async def test_making_and_revoking_are_in_the_audit(
    api: httpx.AsyncClient, owner: Headers, database: Database, make: Make
) -> None:
    key = await make(name="Noted")
    for _ in range(2):  # the second time does nothing
        await api.delete(f"/v1/keys/{key['id']}", headers=owner)
    async with database.begin() as connection:
        rows = await connection.execute(
            select(audit_entries.c.action, audit_entries.c.actor, audit_entries.c.detail)
            .where(audit_entries.c.target == key["id"])
            .order_by(audit_entries.c.id)
        )
        entries = rows.all()
    actor = key["created_by"]
    assert [(action, who) for action, who, _ in entries] == [
        ("key.create", actor),
        ("key.revoke", actor),
    ]
    assert entries[0][2] == {"name": "Noted", "scopes": ["inference"]}


async def test_a_key_is_edited_and_what_is_left_out_stays(
    api: httpx.AsyncClient, owner: Headers, make: Make
) -> None:
    end = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    budget = {"amount": "12.5", "period": "day", "limit": "soft"}
    key = await make(models=["sample-small"], expires_at=end, budget=budget)
    assert key["budget"] == budget

    async def edited(**change: object) -> dict[str, Any]:
        answer = await api.patch(f"/v1/keys/{key['id']}", headers=owner, json=change)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    first = await edited(name="New", scopes=["usage:read", "inference"])
    assert (first["name"], first["scopes"]) == ("New", ["usage:read", "inference"])
    assert [first[name] for name in ("models", "expires_at", "budget")] == [
        ["sample-small"],
        key["expires_at"],
        budget,
    ]
    second = await edited(models=None, expires_at=None, budget=None, name=None, limits=None)
    assert [second[name] for name in ("models", "expires_at", "budget", "name")] == [
        None,
        None,
        None,
        "New",
    ]
    third = await edited(budget={"amount": "0.0001", "period": "month"})
    assert third["budget"] == {"amount": "0.0001", "period": "month", "limit": "hard"}
    for wrong, code in (
        ({"models": ["none"]}, "invalid_input"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expiry_passed"),
        ({"budget": {"amount": "0", "period": "day"}}, "invalid_input"),
        ({"scopes": []}, "invalid_input"),
        ({"application_id": "app_1"}, "invalid_input"),
    ):
        answer = await api.patch(f"/v1/keys/{key['id']}", headers=owner, json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, code), wrong
    (entry, *_) = (await api.get("/v1/audit", headers=owner)).json()["items"]
    changed = {"budget": {"amount": "0.0001", "period": "month"}}
    assert (entry["action"], entry["detail"]) == ("key.change", changed)


async def test_a_disabled_key_is_refused_within_a_second_until_it_is_enabled(
    api: httpx.AsyncClient, owner: Headers, make: Make
) -> None:
    key = await make(scopes=["usage:read"])
    at = f"/v1/keys/{key['id']}"
    assert (await api.get("/v1/usage", headers=bearer(key))).status_code == 200
    disabled = [
        (await api.patch(at, headers=owner, json={"enabled": False})).json()["disabled_at"]
        for _ in range(2)
    ]
    assert disabled[0] == disabled[1] is not None
    await a_second_after(time.monotonic())
    refused = await api.get("/v1/usage", headers=bearer(key))
    assert (refused.status_code, refused.json()["code"]) == (401, "key_disabled")
    enabled = await api.patch(at, headers=owner, json={"enabled": True})
    assert enabled.json()["disabled_at"] is None
    assert (await api.get("/v1/usage", headers=bearer(key))).status_code == 200


async def test_a_key_that_nobody_has_is_looked_up_once_in_one_query(database: Database) -> None:
    authenticator, queries = Authenticator(database), []

    def listen(*executed: Any) -> None:
        queries.append(executed[2])

    event.listen(database.engine.sync_engine, "before_cursor_execute", listen)
    try:
        for _ in range(3):
            assert await refusal(authenticator, f"{API_KEY}wrong")
        assert len(queries) == 1
        assert await refusal(authenticator, f"{API_KEY}another")
        assert len(queries) == 2
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", listen)
