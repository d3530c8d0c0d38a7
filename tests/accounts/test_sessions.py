"""Signing in on this machine, switching tenants, signing out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update

from backend.accounts.audit.queries import AuditQuestion, list_audit
from backend.accounts.authenticator import Authenticator
from backend.accounts.members.members import add_member
from backend.accounts.sessions.sessions import begin_session
from backend.api.app import create_app
from backend.errors import Unauthenticated
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import sessions
from backend_client.types.accounts import Role
from tests.accounts.conftest import Headers, Join

pytestmark = pytest.mark.engine

SECRET = {"secret": "a secret of this machine"}


def token_of(headers: Headers) -> str:
    return headers["authorization"].removeprefix("Bearer ")


async def test_a_session_lasts_as_long_as_is_set(
    api: httpx.AsyncClient, api_settings: Settings
) -> None:
    answer = await api.post("/v1/sessions/local", json=SECRET)
    expires = datetime.fromisoformat(answer.json()["expires_at"])
    lasts = expires - datetime.now(UTC)
    assert abs(lasts - timedelta(seconds=api_settings.session_seconds)) < timedelta(seconds=30)


async def test_an_expired_session_is_refused_and_swept(
    api: httpx.AsyncClient, database: Database, session: Headers
) -> None:
    async with database.begin() as connection:
        await connection.execute(update(sessions).values(expires_at=datetime.now(UTC)))
    with pytest.raises(Unauthenticated):
        await Authenticator(database).authenticate(token_of(session))
    # Nor by an answer that is cached, which may be for as long as PostgreSQL is away
    async with database.begin() as connection:
        await connection.execute(
            update(sessions).values(expires_at=datetime.now(UTC) + timedelta(minutes=1))
        )
    caching = Authenticator(database)
    valid_until = (await caching.authenticate(token_of(session))).valid_until
    assert valid_until is not None
    assert valid_until <= datetime.now(UTC) + timedelta(minutes=1)
    async with database.begin() as connection:
        await connection.execute(update(sessions).values(expires_at=datetime.now(UTC)))
    await api.post("/v1/sessions/local", json=SECRET)
    async with database.begin() as connection:
        assert (await connection.execute(select(func.count()).select_from(sessions))).scalar() == 1


async def test_its_token_is_kept_as_a_hash(database: Database, session: Headers) -> None:
    async with database.begin() as connection:
        rows = (await connection.execute(select(sessions))).all()
    assert len(rows) == 1
    assert token_of(session) not in repr(rows)
    assert token_of(session).encode() not in bytes(rows[0].token_hash)


async def test_signing_out_ends_it_at_once(api: httpx.AsyncClient, join: Join) -> None:
    _, headers = await join(Role.OWNER)
    _, other = await join(Role.OWNER)
    assert (await api.get("/v1/me", headers=headers)).status_code == 200
    assert (await api.delete("/v1/sessions/current", headers=headers)).status_code == 204
    assert (await api.get("/v1/me", headers=headers)).status_code == 401
    assert (await api.get("/v1/me", headers=other)).status_code == 200


async def test_switching_moves_this_session_alone(
    api: httpx.AsyncClient, database: Database, join: Join, operator: Headers
) -> None:
    user, headers = await join(Role.OWNER)
    first = (await api.get("/v1/me", headers=headers)).json()["tenant"]["id"]
    answer = await api.post("/v1/tenants", headers=operator, json={"slug": "two", "name": "Two"})
    second = answer.json()["id"]
    refused = await api.patch("/v1/sessions/current", headers=headers, json={"tenant_id": second})
    assert refused.status_code == 404
    async with database.begin() as connection:
        await add_member(connection, second, user, Role.VIEWER)
        another = await begin_session(connection, user, first, seconds=600)
    moved = await api.patch("/v1/sessions/current", headers=headers, json={"tenant_id": second})
    assert (moved.json()["tenant"]["id"], moved.json()["role"]) == (second, "viewer")
    assert {membership["tenant"]["id"] for membership in moved.json()["memberships"]} == {
        first,
        second,
    }
    assert (await api.get("/v1/me", headers=headers)).json()["tenant"]["id"] == second
    unmoved = await api.get("/v1/me", headers={"authorization": f"Bearer {another.token}"})
    assert unmoved.json()["tenant"]["id"] == first
    # The tenant that somebody moves to does not learn which one they come from
    async with database.begin() as connection:
        switches = await list_audit(
            connection, second, AuditQuestion(action="session.switch"), cursor=None, limit=9
        )
    assert len(switches.items) == 1
    assert first not in switches.items[0].model_dump_json()


async def test_keys_have_no_session_to_switch_or_end(
    api: httpx.AsyncClient, owner: Headers, application: str, operator: Headers, tenant_id: str
) -> None:
    answer = await api.post(
        "/v1/keys", headers=owner, json={"name": "A key", "application_id": application}
    )
    key = {"authorization": f"Bearer {answer.json()['secret']}"}
    for headers in (key, operator):
        moved = await api.patch(
            "/v1/sessions/current", headers=headers, json={"tenant_id": tenant_id}
        )
        ended = await api.delete("/v1/sessions/current", headers=headers)
        assert (moved.status_code, ended.status_code) == (403, 403)


async def test_local_sign_in_makes_one_tenant_however_often(api: httpx.AsyncClient) -> None:
    seen = set()
    for _ in range(2):
        token = (await api.post("/v1/sessions/local", json=SECRET)).json()["token"]
        me = (await api.get("/v1/me", headers={"authorization": f"Bearer {token}"})).json()
        seen.add((me["user_id"], me["tenant"]["id"], me["role"], me["is_operator"]))
    assert len(seen) == 1
    assert seen.pop()[2:] == ("owner", True)


async def test_local_sign_in_needs_the_machines_secret(
    api: httpx.AsyncClient, api_settings: Settings
) -> None:
    for wrong in ("", "another"):
        refused = await api.post("/v1/sessions/local", json={"secret": wrong})
        assert refused.status_code == 401
    api_settings.local_sign_in_secret_file.write_text("\n")
    assert (await api.post("/v1/sessions/local", json={"secret": ""})).status_code == 401
    api_settings.local_sign_in_secret_file.unlink()
    assert (await api.post("/v1/sessions/local", json=SECRET)).status_code == 403


@pytest.mark.parametrize(
    "beyond",
    [
        {"api_host": str(IPv4Address(0))},
        {"api_host": "192.0.2.1"},
        {"api_host": "::"},
        {"portal_host": str(IPv4Address(0))},
        {"oidc_issuer": "https://id.example.com", "oidc_client_id": "farebox"},
    ],
    ids=str,
)
async def test_local_sign_in_is_refused_where_others_can_reach_it(
    app: FastAPI, api_settings: Settings, beyond: dict[str, str]
) -> None:
    exposed = create_app(api_settings.model_copy(update=beyond))
    async with exposed.router.lifespan_context(exposed):
        transport = httpx.ASGITransport(exposed)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as api:
            assert (await api.get("/v1/sign-in")).json()["local"] is False
            refused = await api.post("/v1/sessions/local", json=SECRET)
    assert (refused.status_code, refused.json()["code"]) == (403, "local_sign_in_off")
