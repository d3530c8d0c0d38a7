"""Invitations by link, and the audit that tells of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from backend.accounts.audit.writing import record
from backend.accounts.principal import COMMAND_LINE
from backend.storage.database import Database
from backend.storage.tables import invitations
from backend_client.types.accounts import Role
from tests.accounts.conftest import Headers, Join

pytestmark = pytest.mark.engine


async def invite(api: httpx.AsyncClient, by: Headers, role: str = "developer") -> dict[str, Any]:
    wanted = {"role": role, "note": "for the new one"}
    answer = await api.post("/v1/invitations", headers=by, json=wanted)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def accept(api: httpx.AsyncClient, by: Headers, secret: str) -> httpx.Response:
    return await api.post("/v1/invitations/accept", headers=by, json={"secret": secret})


async def test_whoever_follows_the_link_becomes_a_member_once(
    api: httpx.AsyncClient, owner: Headers, session: Headers, join: Join, tenant_id: str
) -> None:
    invitation = await invite(api, owner)
    assert invitation["secret"].startswith("fbi_")
    joined = await accept(api, session, invitation["secret"])
    assert (joined.status_code, joined.json()["role"]) == (200, "developer")
    assert joined.json()["tenant"]["id"] == tenant_id
    me = (await api.get("/v1/me", headers=session)).json()
    assert tenant_id in {membership["tenant"]["id"] for membership in me["memberships"]}
    again = await accept(api, session, invitation["secret"])
    assert again.status_code == 404
    listed = (await api.get("/v1/invitations", headers=owner)).json()["items"]
    assert [item["accepted_by"] for item in listed] == [me["user_id"]]
    assert invitation["secret"] not in str(listed)
    assert (
        await api.delete(f"/v1/invitations/{invitation['id']}", headers=owner)
    ).status_code == 409


async def test_two_at_once_do_not_both_get_in(
    api: httpx.AsyncClient, owner: Headers, session: Headers, operator: Headers, database: Database
) -> None:
    invitation = await invite(api, owner)
    answers = await asyncio.gather(*(accept(api, session, invitation["secret"]) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]


async def test_a_link_that_is_closed_lets_nobody_in(
    api: httpx.AsyncClient, owner: Headers, session: Headers, database: Database
) -> None:
    revoked, expired = await invite(api, owner), await invite(api, owner)
    for _ in range(2):
        gone = await api.delete(f"/v1/invitations/{revoked['id']}", headers=owner)
        assert gone.status_code == 204
    async with database.begin() as connection:
        await connection.execute(
            update(invitations)
            .where(invitations.c.id == expired["id"])
            .values(expires_at=datetime.now(UTC))
        )
    for secret in (revoked["secret"], expired["secret"], "fbi_none"):
        assert (await accept(api, session, secret)).status_code == 404
    async with database.begin() as connection:
        rows = repr((await connection.execute(select(invitations))).all())
    assert revoked["secret"] not in rows


async def test_who_may_invite_whom(
    api: httpx.AsyncClient, owner: Headers, operator: Headers, join: Join
) -> None:
    _, admin = await join(Role.ADMIN)
    _, developer = await join(Role.DEVELOPER)
    for by, role, status in (
        (owner, "owner", 201),
        (admin, "admin", 201),
        (admin, "owner", 403),
        (developer, "viewer", 403),
        (owner, "operator", 422),
        (operator, "viewer", 403),
    ):
        answer = await api.post("/v1/invitations", headers=by, json={"role": role})
        assert answer.status_code == status, (role, answer.text)
    invitation = await invite(api, owner)
    assert (await accept(api, developer, invitation["secret"])).status_code == 409
    assert (await accept(api, operator, invitation["secret"])).status_code == 403


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_the_links_of_somebody_who_may_no_longer_invite_are_closed(
    api: httpx.AsyncClient, owner: Headers, session: Headers, join: Join, method: str
) -> None:
    admin, as_admin = await join(Role.ADMIN)
    invitation = await invite(api, as_admin)
    body = {"role": "viewer"} if method == "PATCH" else None
    changed = await api.request(method, f"/v1/members/{admin}", headers=owner, json=body)
    assert changed.is_success
    assert (await accept(api, session, invitation["secret"])).status_code == 404
    audit = await api.get(f"/v1/audit?target={invitation['id']}", headers=owner)
    actions = [entry["action"] for entry in audit.json()["items"]]
    assert actions == ["invitation.revoke", "invitation.create"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_whoever_may_no_longer_invite_makes_no_link_while_their_session_is_cached(
    api: httpx.AsyncClient, owner: Headers, join: Join, method: str
) -> None:
    admin, as_admin = await join(Role.ADMIN)
    assert (await api.get("/v1/me", headers=as_admin)).status_code == 200
    body = {"role": "developer"} if method == "PATCH" else None
    changed = await api.request(method, f"/v1/members/{admin}", headers=owner, json=body)
    assert changed.is_success
    late = await api.post("/v1/invitations", headers=as_admin, json={"role": "admin"})
    assert late.status_code in {401, 403}, late.text
    assert (await api.get("/v1/invitations", headers=owner)).json()["items"] == []


async def test_owners_see_who_did_what(
    api: httpx.AsyncClient,
    owner: Headers,
    join: Join,
    application: str,
    tenant_id: str,
    database: Database,
) -> None:
    invitation = await invite(api, owner)
    me = (await api.get("/v1/me", headers=owner)).json()
    entries = (await api.get("/v1/audit", headers=owner)).json()["items"]
    latest = entries[0]
    assert (latest["action"], latest["target"]) == ("invitation.create", invitation["id"])
    assert (latest["actor"], latest["actor_name"]) == (me["user_id"], me["name"])
    assert latest["detail"] == {"role": "developer", "note": "for the new one"}
    assert entries[-1]["action"] == "tenant.create"
    assert entries[-1]["actor_name"] is None
    async with database.begin() as connection:
        for number in range(5):
            await record(connection, COMMAND_LINE, "test", str(number), tenant_id=tenant_id)
    page = (await api.get("/v1/audit", headers=owner, params={"limit": 3})).json()
    assert [entry["target"] for entry in page["items"]] == ["4", "3", "2"]
    rest = await api.get("/v1/audit", headers=owner, params={"cursor": page["next_cursor"]})
    assert [entry["target"] for entry in rest.json()["items"]][:2] == ["1", "0"]
    for role, status in ((Role.ADMIN, 200), (Role.DEVELOPER, 403), (Role.BILLING, 403)):
        _, headers = await join(role)
        assert (await api.get("/v1/audit", headers=headers)).status_code == status
