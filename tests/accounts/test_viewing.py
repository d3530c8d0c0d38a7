"""An operator looks at a tenant as its owners see it, and changes nothing there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert, update

from backend.accounts.audit.queries import AuditQuestion, list_audit
from backend.api.dependencies import OPEN_TO_VIEWERS
from backend.storage.database import Database
from backend.storage.tables import gateway_requests, request_bodies, sessions
from backend_client import AsyncFareboxClient, Forbidden
from backend_client.types.accounts import Role
from tests.accounts.conftest import Headers, Join
from tests.api.isolation import OPEN, operations

pytestmark = pytest.mark.engine


@pytest.fixture
async def viewer(api: httpx.AsyncClient, session: Headers, tenant_id: str) -> Headers:
    """The operator at this machine, who looks at the tenant and is no member of it."""
    answer = await api.post(f"/v1/tenants/{tenant_id}/view", headers=session)
    assert answer.status_code == 200, answer.text
    me = answer.json()
    assert (me["tenant"]["id"], me["role"], me["is_operator"]) == (tenant_id, "operator", False)
    ends = datetime.fromisoformat(me["viewing_until"]) - datetime.now(UTC)
    assert timedelta(minutes=50) < ends <= timedelta(hours=1)
    return session


async def test_nothing_can_be_changed_by_any_route(
    app: FastAPI, api: httpx.AsyncClient, viewer: Headers
) -> None:
    closed = 0
    routes = {(method.upper(), path) for method, path in (each.name for each in operations(app))}
    assert routes >= OPEN_TO_VIEWERS
    for operation in operations(app):
        route = (operation.method.upper(), operation.path)
        if operation.method == "get" or operation.name in OPEN or route in OPEN_TO_VIEWERS:
            continue
        url = operation.path.replace("{", "").replace("}", "")
        answer = await api.request(route[0], url, headers=viewer, json={})
        refusal = answer.json()
        code = refusal.get("code", refusal.get("error", {}).get("code"))
        # Calls of models are refused for want of the permission, in their own shape
        assert answer.status_code == 403, (route, answer.text)
        assert code in {"viewing_only", "permission_missing", None}, (route, answer.text)
        closed += 1
    assert closed > 60


async def test_what_the_owners_see_is_seen_but_for_what_they_said(
    api: httpx.AsyncClient, viewer: Headers, tenant_id: str, join: Join
) -> None:
    user, _ = await join(Role.OWNER)
    for path in ("members", "keys", "applications", "invitations", "audit", "spend", "wallet"):
        answer = await api.get(f"/v1/{path}", headers=viewer)
        assert answer.status_code == 200, (path, answer.text)
    members = (await api.get("/v1/members", headers=viewer)).json()["items"]
    assert [member["user_id"] for member in members] == [user]
    for path in ("conversations", "tenants", "pipeline", f"tenants/{tenant_id}/wallet"):
        assert (await api.get(f"/v1/{path}", headers=viewer)).status_code == 403, path


async def test_the_tenants_log_says_who_looked_and_leaving_goes_back(
    url: str, database: Database, viewer: Headers, tenant_id: str
) -> None:
    async with AsyncFareboxClient(url, viewer["authorization"][7:]) as person:
        looking = await person.me.get()
        await person.sessions.leave_view()
        await person.sessions.leave_view()
        back = await person.me.get()
    assert (back.tenant.slug, back.is_operator, back.viewing_until) == ("local", True, None)
    async with database.begin() as connection:
        entries = await list_audit(connection, tenant_id, AuditQuestion(), cursor=None, limit=50)
    acts = [(item.action, item.actor, item.actor_kind) for item in entries.items]
    views = [act for act in acts if act[0].startswith("view.")]
    who = looking.user_id
    assert views == [("view.end", who, "operator"), ("view.begin", who, "operator")]


async def test_a_view_ends_by_itself_and_by_a_switch(
    api: httpx.AsyncClient, database: Database, viewer: Headers, tenant_id: str
) -> None:
    home = (await api.get("/v1/me", headers=viewer)).json()["memberships"][0]["tenant"]["id"]
    switch = {"tenant_id": home}
    moved = await api.patch("/v1/sessions/current", headers=viewer, json=switch)
    assert (moved.json()["tenant"]["id"], moved.json()["viewing_until"]) == (home, None)
    begun = await api.post(f"/v1/tenants/{tenant_id}/view", headers=viewer)
    assert begun.json()["tenant"]["id"] == tenant_id
    async with database.begin() as connection:
        await connection.execute(update(sessions).values(viewing_until=datetime.now(UTC)))
    # As another process has it, that cached nothing
    begun_again = await api.delete("/v1/sessions/current/view", headers=viewer)
    assert begun_again.status_code == 204
    assert (await api.get("/v1/me", headers=viewer)).json()["tenant"]["id"] == home


async def test_only_a_person_who_operates_can_look(
    url: str, join: Join, operator: Headers, tenant_id: str
) -> None:
    _, owner = await join(Role.OWNER)
    for headers in (owner, operator):
        async with AsyncFareboxClient(url, headers["authorization"][7:]) as client:
            with pytest.raises(Forbidden):
                await client.sessions.view_tenant(tenant_id)


async def test_what_was_asked_and_answered_is_not_seen(
    api: httpx.AsyncClient, viewer: Headers, tenant_id: str, database: Database
) -> None:
    began = datetime.now(UTC)
    named = {"tenant_id": tenant_id, "id": "req_1", "application_id": "", "time": began}
    async with database.begin() as connection:
        await connection.execute(
            insert(gateway_requests).values(
                **named,
                **{"outcome": "completed", "status": 200, "protocol": "chat", "streamed": False},
                **{"model": "m", "upstream": "", "key_id": "", "attempts": 1, "duration_ms": 5},
                **{"request_id": "", "answer_id": "", "quantities": {}, "labels": {}},
            )
        )
        await connection.execute(
            insert(request_bodies).values(
                **named,
                **{"expires_at": began + timedelta(days=1), "shortened": False, "redacted": True},
                **{"request": "private", "answer": "private"},
            )
        )
    answer = await api.get("/v1/requests/req_1", headers=viewer)
    assert (answer.status_code, answer.json()["bodies"]) == (200, None)
    assert "private" not in answer.text
