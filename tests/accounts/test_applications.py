"""Applications: renamed, archived once nothing uses them, and taken back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from backend.accounts.applications import change_application, create_application
from backend.accounts.errors import PermissionMissing
from backend.accounts.principal import ROLE_PERMISSIONS, Principal
from backend.storage.database import Database
from backend_client.types.accounts import ApplicationChange, ApplicationCreate, Role
from tests.accounts.conftest import Headers, Join

pytestmark = pytest.mark.engine


async def _second(api: httpx.AsyncClient, owner: Headers) -> str:
    answer = await api.post("/v1/applications", headers=owner, json={"name": "Second"})
    return f"/v1/applications/{answer.json()['id']}"


async def test_an_application_is_renamed(
    api: httpx.AsyncClient, owner: Headers, application: str
) -> None:
    second = await _second(api, owner)
    taken = await api.patch(second, headers=owner, json={"name": "Default"})
    assert (taken.status_code, taken.json()["code"]) == (409, "application_name_taken")
    renamed = await api.patch(second, headers=owner, json={"name": "Mobile"})
    assert renamed.json()["name"] == "Mobile"
    listed = (await api.get("/v1/applications", headers=owner)).json()["items"]
    assert [item["name"] for item in listed] == ["Default", "Mobile"]
    none = await api.patch("/v1/applications/app_none", headers=owner, json={"name": "X"})
    assert (none.status_code, none.json()["code"]) == (404, "application_not_found")


async def test_an_application_is_archived_when_no_key_of_it_works(
    api: httpx.AsyncClient, owner: Headers
) -> None:
    second = await _second(api, owner)
    wanted = {"name": "k", "application_id": second.rpartition("/")[2]}
    key = (await api.post("/v1/keys", headers=owner, json=wanted)).json()
    # A disabled one can be enabled again
    await api.patch(f"/v1/keys/{key['id']}", headers=owner, json={"enabled": False})
    refused = await api.patch(second, headers=owner, json={"archived": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "application_has_keys")
    await api.delete(f"/v1/keys/{key['id']}", headers=owner)
    archived = await api.patch(second, headers=owner, json={"archived": True})
    assert archived.json()["archived_at"] is not None
    again = await api.patch(second, headers=owner, json={"archived": True})
    assert again.json() == archived.json()

    none = await api.post("/v1/keys", headers=owner, json=wanted)
    assert (none.status_code, none.json()["code"]) == (409, "application_archived")
    back = await api.patch(second, headers=owner, json={"archived": False})
    assert back.json()["archived_at"] is None
    assert (await api.post("/v1/keys", headers=owner, json=wanted)).status_code == 201


async def test_two_archived_at_once_leave_one_in_use(
    api: httpx.AsyncClient, owner: Headers, application: str
) -> None:
    paths = [f"/v1/applications/{application}", await _second(api, owner)]
    for _ in range(3):
        answers = await asyncio.gather(
            *(api.patch(path, headers=owner, json={"archived": True}) for path in paths)
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        [refused] = [answer for answer in answers if answer.status_code == 409]
        assert refused.json()["code"] == "last_application"
        for path in paths:
            await api.patch(path, headers=owner, json={"archived": False})


async def test_who_lost_the_role_meanwhile_changes_no_application(
    database: Database, tenant_id: str, join: Join, application: str
) -> None:
    user, _ = await join(Role.VIEWER)
    admin = Principal("user", user, tenant_id, ROLE_PERMISSIONS[Role.ADMIN], Role.ADMIN)
    change, wanted = ApplicationChange(name="Mine"), ApplicationCreate(name="Mine")
    async with database.begin() as connection:
        with pytest.raises(PermissionMissing):
            await change_application(connection, admin, application, change, datetime.now(UTC))
        with pytest.raises(PermissionMissing):
            await create_application(connection, tenant_id, wanted, by=admin)


async def test_an_organization_is_renamed_by_its_managers(
    api: httpx.AsyncClient, owner: Headers
) -> None:
    renamed = await api.patch("/v1/tenant", headers=owner, json={"name": "Renamed"})
    assert renamed.json()["name"] == "Renamed"
    me = (await api.get("/v1/me", headers=owner)).json()
    assert me["tenant"] == renamed.json()
    empty = await api.patch("/v1/tenant", headers=owner, json={"name": ""})
    assert (empty.status_code, empty.json()["errors"][0]["field"]) == (422, "name")
