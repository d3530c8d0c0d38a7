"""Keys that are taken from some addresses alone, and keys that are an application's."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from backend.accounts.authenticator import Authenticator
from backend.accounts.errors import AddressNotAllowed
from backend.errors import Unauthenticated
from backend.kit.origin import request_from
from backend.storage.database import Database
from backend_client.types.accounts import Role
from tests.accounts.conftest import Headers, Join

pytestmark = pytest.mark.engine


async def make(api: httpx.AsyncClient, by: Headers, **wanted: Any) -> httpx.Response:
    application = (await api.get("/v1/applications", headers=by)).json()["items"][0]["id"]
    body = {"name": "k", "application_id": application, "scopes": ["usage:read"], **wanted}
    return await api.post("/v1/keys", headers=by, json=body)


async def test_a_key_is_taken_from_its_networks_alone(
    api: httpx.AsyncClient, owner: Headers, database: Database
) -> None:
    answer = await make(api, owner, addresses=["203.0.113.9/24", "2001:db8::1"])
    assert answer.json()["addresses"] == ["203.0.113.0/24", "2001:db8::1/128"]
    key, secret = answer.json()["id"], answer.json()["secret"]

    async def is_taken_from(address: str | None) -> bool:
        # A new one each time: a cached credential is checked too, below
        authenticator = Authenticator(database)
        with request_from(address, "r"):
            try:
                assert (await authenticator.authenticate(secret)).id == key
            except AddressNotAllowed:
                with pytest.raises(AddressNotAllowed):
                    await authenticator.authenticate(secret)
                return False
        return True

    assert await is_taken_from("203.0.113.77")
    assert await is_taken_from("2001:db8::1")
    for elsewhere in ("203.0.114.1", "2001:db8::2", "::ffff:1.2.3.4", "nonsense", None):
        assert not await is_taken_from(elsewhere)

    cached = Authenticator(database)
    with request_from("203.0.113.77", "r"):
        await cached.authenticate(secret)
    with request_from("198.51.100.1", "r"), pytest.raises(AddressNotAllowed):
        await cached.authenticate(secret)

    refused = await api.get("/v1/usage", headers={"authorization": f"Bearer {secret}"})
    assert (refused.status_code, refused.json()["code"]) == (403, "address_not_allowed")
    changed = await api.patch(f"/v1/keys/{key}", headers=owner, json={"addresses": None})
    assert changed.json()["addresses"] is None
    assert await is_taken_from("198.51.100.1")


@pytest.mark.parametrize("wrong", [[], ["here"], ["203.0.113.0/33"], ["1.1.1.1"] * 51, "1.1.1.1"])
async def test_what_is_no_list_of_networks_is_refused(
    api: httpx.AsyncClient, owner: Headers, wrong: object
) -> None:
    answer = await make(api, owner, addresses=wrong)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"].startswith("addresses")


async def test_an_applications_key_stays_when_who_made_it_leaves(
    api: httpx.AsyncClient, owner: Headers, join: Join, database: Database
) -> None:
    leaver, admin = await join(Role.ADMIN)
    own = (await make(api, admin)).json()
    service = (await make(api, admin, service_account=True)).json()
    assert (own["service_account"], service["service_account"]) == (False, True)
    gone = await api.delete(f"/v1/members/{leaver}?keys=revoke", headers=owner)
    assert gone.is_success, gone.text
    authenticator = Authenticator(database)
    assert (await authenticator.authenticate(service["secret"])).id == service["id"]
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(own["secret"])


async def test_a_developer_gets_no_secret_that_outlives_the_membership(
    api: httpx.AsyncClient, owner: Headers, join: Join
) -> None:
    _, developer = await join(Role.DEVELOPER)
    assert (await make(api, developer, service_account=True)).status_code == 403
    own = (await make(api, developer)).json()["id"]
    raised = await api.patch(f"/v1/keys/{own}", headers=developer, json={"service_account": True})
    assert raised.status_code == 403
    service = (await make(api, owner, service_account=True)).json()["id"]
    at = f"/v1/keys/{service}"
    assert (await api.post(f"{at}/rotate", headers=developer, json={})).status_code == 403
    assert (await api.patch(at, headers=developer, json={"name": "x"})).status_code == 403
    assert (await api.post(f"{at}/rotate", headers=owner, json={})).is_success
    # Whoever sees a leak may still end it
    assert (await api.delete(at, headers=developer)).status_code == 204
