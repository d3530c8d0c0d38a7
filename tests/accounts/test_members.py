"""Members and their roles."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from sqlalchemy import select

from backend.accounts.authenticator import Authenticator
from backend.errors import Unauthenticated
from backend.storage.database import Database
from backend.storage.tables import audit_entries
from backend_client.types.accounts import Role
from tests.accounts.conftest import Headers, Join

pytestmark = pytest.mark.engine

MEMBERS = [role for role in Role if role is not Role.OPERATOR]


@pytest.mark.parametrize("role", MEMBERS)
async def test_what_each_role_may_do(
    api: httpx.AsyncClient, owner: Headers, join: Join, role: Role
) -> None:
    _, headers = await join(role)
    other, _ = await join(Role.VIEWER)
    manages = role in {Role.OWNER, Role.ADMIN}
    develops = manages or role is Role.DEVELOPER
    pays = manages or role is Role.BILLING
    for method, path, body, may in (
        ("GET", "/v1/me", None, True),
        ("GET", "/v1/members", None, True),
        ("GET", "/v1/applications", None, True),
        ("GET", "/v1/usage", None, True),
        ("GET", "/v1/subscription", None, True),
        ("GET", "/v1/spend", None, develops or pays),
        ("POST", "/v1/applications", {"name": "New"}, develops),
        ("PATCH", "/v1/tenant", {"name": "Renamed"}, manages),
        ("GET", "/v1/models", None, develops),
        ("PUT", "/v1/subscription", {"plan": "pay-as-you-go"}, pays),
        ("PATCH", f"/v1/members/{other}", {"role": "developer"}, manages),
        ("DELETE", f"/v1/members/{other}", None, manages),
        ("GET", "/v1/tenants", None, False),
        ("PUT", "/v1/catalog", {}, False),
    ):
        answer = await api.request(method, path, headers=headers, json=body)
        assert (answer.status_code != 403) is may, (path, answer.text)
        assert answer.is_success is may, (path, answer.text)


async def test_the_last_owner_stays_one(api: httpx.AsyncClient, owner: Headers, join: Join) -> None:
    me = (await api.get("/v1/me", headers=owner)).json()["user_id"]
    demoted = await api.patch(f"/v1/members/{me}", headers=owner, json={"role": "admin"})
    removed = await api.delete(f"/v1/members/{me}", headers=owner)
    assert (demoted.status_code, removed.status_code) == (409, 409)
    same = await api.patch(f"/v1/members/{me}", headers=owner, json={"role": "owner"})
    assert same.status_code == 200
    await join(Role.OWNER)
    assert (await api.delete(f"/v1/members/{me}", headers=owner)).status_code == 204


async def test_two_owners_can_not_both_demote_the_other(api: httpx.AsyncClient, join: Join) -> None:
    first, as_first = await join(Role.OWNER)
    second, as_second = await join(Role.OWNER)
    answers = await asyncio.gather(
        api.patch(f"/v1/members/{second}", headers=as_first, json={"role": "viewer"}),
        api.patch(f"/v1/members/{first}", headers=as_second, json={"role": "viewer"}),
    )
    # The one that comes too late is the last owner, or no owner any more.
    assert sorted(answer.status_code for answer in answers) in ([200, 403], [200, 409])
    members = (await api.get("/v1/members", headers=as_first)).json()["items"]
    assert sorted(member["role"] for member in members) == ["owner", "viewer"]


async def test_only_an_owner_makes_or_unmakes_an_owner(
    api: httpx.AsyncClient, owner: Headers, join: Join
) -> None:
    admin, as_admin = await join(Role.ADMIN)
    boss, _ = await join(Role.OWNER)
    viewer, _ = await join(Role.VIEWER)
    for method, who, body in (
        ("PATCH", admin, {"role": "owner"}),
        ("PATCH", viewer, {"role": "owner"}),
        ("PATCH", boss, {"role": "viewer"}),
        ("DELETE", boss, None),
    ):
        refused = await api.request(method, f"/v1/members/{who}", headers=as_admin, json=body)
        assert refused.status_code == 403, refused.text
    answer = await api.patch(f"/v1/members/{viewer}", headers=owner, json={"role": "owner"})
    assert answer.json()["role"] == "owner"


async def test_operator_is_nobodys_role_in_a_tenant(
    api: httpx.AsyncClient, owner: Headers, join: Join
) -> None:
    viewer, _ = await join(Role.VIEWER)
    for role in ("operator", "king"):
        refused = await api.patch(f"/v1/members/{viewer}", headers=owner, json={"role": role})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "role")


async def test_a_change_of_role_reaches_the_session(
    api: httpx.AsyncClient, owner: Headers, join: Join, database: Database
) -> None:
    viewer, as_viewer = await join(Role.VIEWER)
    await api.patch(f"/v1/members/{viewer}", headers=owner, json={"role": "billing"})
    token = as_viewer["authorization"].removeprefix("Bearer ")
    assert (await Authenticator(database).authenticate(token)).role is Role.BILLING


async def test_whoever_is_no_member_any_more_has_no_session_there(
    api: httpx.AsyncClient, owner: Headers, join: Join, database: Database
) -> None:
    viewer, as_viewer = await join(Role.VIEWER)
    token = as_viewer["authorization"].removeprefix("Bearer ")
    await Authenticator(database).authenticate(token)
    assert (await api.delete(f"/v1/members/{viewer}", headers=owner)).status_code == 204
    with pytest.raises(Unauthenticated):
        await Authenticator(database).authenticate(token)


async def test_changes_are_in_the_audit(
    api: httpx.AsyncClient, owner: Headers, join: Join, database: Database
) -> None:
    viewer, _ = await join(Role.VIEWER)
    await api.patch(f"/v1/members/{viewer}", headers=owner, json={"role": "admin"})
    await api.delete(f"/v1/members/{viewer}", headers=owner)
    async with database.begin() as connection:
        rows = await connection.execute(
            select(audit_entries.c.action, audit_entries.c.detail)
            .where(audit_entries.c.target == viewer)
            .order_by(audit_entries.c.id)
        )
        assert [tuple(row) for row in rows] == [
            ("member.change", {"role": "admin", "was": "viewer"}),
            ("member.remove", {"was": "admin"}),
        ]


async def test_a_members_keys_are_not_left_over_in_silence(
    api: httpx.AsyncClient, owner: Headers, join: Join, application: str
) -> None:
    """They are revoked or handed over, as whoever removes the member says; else nothing happens."""
    wanted = {"name": "k", "application_id": application, "scopes": ["usage:read"]}
    heir, _ = await join(Role.DEVELOPER)
    viewer, _ = await join(Role.VIEWER)
    for choice, status in (("keys=revoke", 401), (f"keys=hand_over&hand_over_to={heir}", 200)):
        leaver, headers = await join(Role.DEVELOPER)
        key = (await api.post("/v1/keys", headers=headers, json=wanted)).json()
        gone = (await api.post("/v1/keys", headers=headers, json=wanted)).json()["id"]
        await api.delete(f"/v1/keys/{gone}", headers=headers)
        listed = await api.get(f"/v1/keys?created_by={leaver}", headers=owner)
        assert [item["id"] for item in listed.json()["items"]] == [gone, key["id"]]

        at = f"/v1/members/{leaver}"
        for refused, code in (
            ("", "member_has_keys"),
            ("?keys=hand_over", "invalid_input"),
            (f"?keys=hand_over&hand_over_to={viewer}", "heir_not_allowed"),
            (f"?keys=hand_over&hand_over_to={leaver}", "heir_not_allowed"),
        ):
            answer = await api.delete(at + refused, headers=owner)
            assert answer.json()["code"] == code, refused
        assert leaver in (await api.get("/v1/members", headers=owner)).text
        assert (await api.delete(f"{at}?{choice}", headers=owner)).status_code == 204

        bearer = {"authorization": f"Bearer {key['secret']}"}
        assert (await api.get("/v1/usage", headers=bearer)).status_code == status
        shown = (await api.get(f"/v1/keys/{key['id']}", headers=owner)).json()
        assert shown["created_by"] == (leaver if status == 401 else heir)
    (handed, *_) = (await api.get(f"/v1/audit?target={key['id']}", headers=owner)).json()["items"]
    assert (handed["action"], handed["detail"]) == ("key.hand_over", {"to": heir})


async def test_whoever_was_just_removed_changes_nothing_while_their_session_is_cached(
    api: httpx.AsyncClient, owner: Headers, join: Join, application: str
) -> None:
    accomplice, _ = await join(Role.VIEWER)
    wanted = {"name": "k", "application_id": application}
    key = (await api.post("/v1/keys", headers=owner, json=wanted)).json()
    await api.patch(f"/v1/keys/{key['id']}", headers=owner, json={"enabled": False})
    leaver, headers = await join(Role.ADMIN)
    assert (await api.get("/v1/me", headers=headers)).status_code == 200
    assert (await api.delete(f"/v1/members/{leaver}", headers=owner)).status_code == 204
    late = await asyncio.gather(
        api.patch(f"/v1/keys/{key['id']}", headers=headers, json={"enabled": True}),
        api.patch(f"/v1/members/{accomplice}", headers=headers, json={"role": "admin"}),
        api.delete(f"/v1/members/{accomplice}", headers=headers),
    )
    assert {answer.status_code for answer in late} <= {401, 403}


async def test_whoever_was_just_removed_makes_no_key_while_their_session_is_cached(
    api: httpx.AsyncClient, owner: Headers, join: Join, application: str
) -> None:
    wanted = {"name": "k", "application_id": application}
    leaver, headers = await join(Role.DEVELOPER)
    assert (await api.get("/v1/me", headers=headers)).status_code == 200
    assert (await api.delete(f"/v1/members/{leaver}", headers=owner)).status_code == 204
    late = await api.post("/v1/keys", headers=headers, json=wanted)
    assert late.status_code in {401, 403}, late.text
