"""The audit: who did what, from where; a tenant reads its own, the operator all."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest

from backend_client.types.accounts import Role
from tests.accounts.conftest import Headers, Join

pytestmark = pytest.mark.engine


async def entries(api: httpx.AsyncClient, headers: Headers, at: str = "/v1/audit") -> list[Any]:
    answer = await api.get(at, headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def make_key(api: httpx.AsyncClient, headers: Headers, application: str, name: str) -> str:
    wanted = {"name": name, "application_id": application}
    answer = await api.post("/v1/keys", headers=headers | {"x-request-id": name}, json=wanted)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_an_entry_says_who_from_where_and_in_which_request(
    api: httpx.AsyncClient, owner: Headers, application: str
) -> None:
    key = await make_key(api, owner, application, "web")
    (entry, *_) = await entries(api, owner)
    assert (entry["action"], entry["target"], entry["actor_kind"]) == ("key.create", key, "user")
    assert entry["address"] == "127.0.0.1"
    assert entry["request_id"] == "web"
    assert entry["actor_name"].startswith("usr_")
    assert entry["tenant_id"] is None


async def test_entries_are_filtered_paged_and_exported_alike(
    api: httpx.AsyncClient, join: Join, owner: Headers, application: str
) -> None:
    admin, headers = await join(Role.ADMIN)
    keys = [await make_key(api, by, application, f"=k{n}") for n, by in enumerate((owner, headers))]
    await api.delete(f"/v1/keys/{keys[0]}", headers=headers)
    await api.post("/v1/invitations", headers=owner, json={"role": "viewer"})
    all_of_it = await entries(api, headers)
    time = all_of_it[1]["at"]  # of the revocation

    async def actions(query: str) -> list[str]:
        listed = await entries(api, owner, f"/v1/audit?{query}")
        return [f"{entry['action']} {entry['target'] == keys[0]}" for entry in listed]

    assert await actions("action=key") == ["key.revoke True", "key.create False", "key.create True"]
    assert await actions("action=key.create") == ["key.create False", "key.create True"]
    assert await actions("action=ke") == []
    assert await actions(f"actor={admin}") == ["key.revoke True", "key.create False"]
    assert await actions(f"target={keys[0]}") == ["key.revoke True", "key.create True"]
    assert await actions(f"action=key&end={time}") == ["key.create False", "key.create True"]
    assert await actions(f"start={time}&actor={admin}") == ["key.revoke True"]
    assert await actions(f"actor={admin}&actor_kind=operator") == []

    paged, cursor = [], ""
    while cursor is not None:
        page = await api.get(f"/v1/audit?limit=2{cursor and '&cursor=' + cursor}", headers=owner)
        paged += page.json()["items"]
        cursor = page.json()["next_cursor"]
    assert paged == all_of_it

    lines = (await api.get("/v1/audit/export?format=jsonl", headers=owner)).text.splitlines()
    assert [json.loads(line) for line in lines] == all_of_it
    table = await api.get("/v1/audit/export?action=key.create", headers=owner)
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["target"] for row in rows] == [keys[1], keys[0]]
    assert json.loads(rows[0]["detail"])["name"] == "=k1"


async def test_the_operator_reads_all_and_a_tenant_its_own_without_who_and_where(
    api: httpx.AsyncClient, operator: Headers, owner: Headers, tenant_id: str, application: str
) -> None:
    await make_key(api, owner, application, "web")
    wanted = {"slug": "two", "name": "Two"}
    two = (await api.post("/v1/tenants", headers=operator, json=wanted)).json()["id"]
    await api.delete(f"/v1/tenants/{two}", headers=operator)

    own = await entries(api, owner)
    assert [entry["action"] for entry in own] == ["key.create", "tenant.create"]
    creation = own[1]
    assert (creation["actor_kind"], creation["actor_name"], creation["address"]) == (
        "operator",
        None,
        None,
    )

    everything = await entries(api, operator, "/v1/operator-audit")
    assert [(entry["action"], entry["tenant_id"]) for entry in everything] == [
        ("tenant.delete", two),
        ("tenant.create", two),
        ("key.create", tenant_id),
        ("tenant.create", tenant_id),
        ("operator_key.create", None),
    ]
    assert (everything[0]["address"], everything[0]["actor_name"]) == ("127.0.0.1", "test")
    of_one = await entries(api, operator, f"/v1/operator-audit?tenant={tenant_id}")
    assert [entry["action"] for entry in of_one] == ["key.create", "tenant.create"]
    exported = await api.get("/v1/operator-audit/export?format=jsonl", headers=operator)
    assert [json.loads(line) for line in exported.text.splitlines()] == everything


async def test_only_owners_and_admins_read_it(
    api: httpx.AsyncClient, join: Join, owner: Headers
) -> None:
    for role in (Role.DEVELOPER, Role.BILLING, Role.VIEWER):
        _, headers = await join(role)
        for at in ("/v1/audit", "/v1/audit/export"):
            assert (await api.get(at, headers=headers)).status_code == 403
    for at in ("/v1/operator-audit", "/v1/operator-audit/export"):
        assert (await api.get(at, headers=owner)).status_code == 403
