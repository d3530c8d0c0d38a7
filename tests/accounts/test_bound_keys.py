"""Keys that are taken from some addresses and pages alone, and keys that are an application's."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from backend.accounts.authenticator import Authenticator
from backend.accounts.errors import AddressNotAllowed
from backend.accounts.keys.web_origins import is_of
from backend.catalog.published import apply_catalog
from backend.errors import Unauthenticated
from backend.kit.origin import request_from
from backend.storage.database import Database
from backend_client.types.accounts import ApiKeyChange, Role
from tests.accounts.conftest import Headers, Join
from tests.support.billing import catalog_with

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


@pytest.mark.fast
@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("https://app.example.com", "https://app.example.com"),
        (" HTTPS://App.Example.COM:443/ ", "https://app.example.com"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://127.0.0.1:080", "http://127.0.0.1"),
        ("http://[::0001]:8000", "http://[::1]:8000"),
        ("https://*.example.com", "https://*.example.com"),
        ("https://exämple.com", "https://xn--exmple-cua.com"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
        ("*", "*"),
    ],
)
def test_an_origin_is_written_as_browsers_send_it(given: str, written: str) -> None:
    change = ApiKeyChange.model_validate({"origins": [given]})
    assert change.origins == [written]


@pytest.mark.fast
@pytest.mark.parametrize(
    "wrong",
    [
        *("", "null", "app.example.com", "https://", "https://a/b", "https://a?b", "https://u@a"),
        *("https://*", "https://*.com", "https://a.*.com", "https://*.[::1]", "https://a:0"),
        *("https://a:65536", "https://a b", "https://-a.com", "https://[::g]", "x" * 400),
    ],
)
def test_what_is_no_origin_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError) as raised:
        ApiKeyChange.model_validate({"origins": [wrong]})
    assert raised.value.errors()[0]["loc"] == ("origins", 0)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("page", "allowed", "is_allowed"),
    [
        ("https://app.example.com", "https://app.example.com", True),
        ("https://APP.example.com", "https://app.example.com", True),
        ("http://app.example.com", "https://app.example.com", False),
        ("https://app.example.com:8443", "https://app.example.com", False),
        ("https://a.b.example.com", "https://*.example.com", True),
        ("https://a.example.com:8443", "https://*.example.com:8443", True),
        ("https://a.example.com:8443", "https://*.example.com", False),
        ("https://example.com", "https://*.example.com", False),
        ("https://.example.com", "https://*.example.com", False),
        ("https://evil.com/.example.com", "https://*.example.com", False),
        ("https://evil.com:1@a.example.com", "https://*.example.com", False),
        ("https://evilexample.com", "https://*.example.com", False),
        ("http://a.example.com", "https://*.example.com", False),
        ("null", "https://*.example.com", False),
        ("null", "*", True),
        ("", "https://a", False),
    ],
)
def test_a_page_is_one_of_a_list(page: str, allowed: str, is_allowed: bool) -> None:
    assert is_of(page, ["https://other.example", allowed]) is is_allowed
    assert not is_of(page, [])


async def test_a_keys_pages_are_changed_and_taken_away(
    api: httpx.AsyncClient, owner: Headers
) -> None:
    answer = await make(api, owner, origins=["https://App.example.com/"])
    assert answer.json()["origins"] == ["https://app.example.com"]
    at = f"/v1/keys/{answer.json()['id']}"
    other = await api.patch(at, headers=owner, json={"name": "other"})
    assert other.json()["origins"] == ["https://app.example.com"]
    bare = await api.patch(at, headers=owner, json={"origins": None})
    assert bare.json()["origins"] is None
    refused = await api.patch(at, headers=owner, json={"origins": ["nowhere"]})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "origins.0"


async def test_limits_on_a_model_that_left_the_catalog_are_in_nobodys_way(
    api: httpx.AsyncClient, owner: Headers, application: str, database: Database
) -> None:
    plan = {"id": "free", "name": "Free"}

    async def sell(*names: str) -> list[str]:
        of_large = {"models": ["large"], "requests_per_minute": 1}
        limited = plan | {"model_limits": [of_large]}
        models = [
            {
                "id": name,
                "name": name,
                "context_window": 4096,
                "max_output_tokens": 1024,
                "tokenizer": "upstream",
            }
            for name in names
        ]
        async with database.begin() as connection:
            applied = await apply_catalog(connection, catalog_with(models=models, plans=[limited]))
        return applied.advice

    assert await sell("large", "small") == []
    limits = [{"models": ["large", "small"], "requests_per_minute": 5}]
    key = (await make(api, owner, model_limits=limits, models=["large"])).json()["id"]
    at_key, at_application = f"/v1/keys/{key}", f"/v1/applications/{application}"
    await api.patch(at_application, headers=owner, json={"model_limits": limits})
    assert await sell("small") == ["plan free: limits large, which is no model of the catalog"]
    for at in (at_key, at_application):
        same = {"model_limits": limits, "name": "Renamed"}
        answer = await api.patch(at, headers=owner, json=same)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["name"], len(answer.json()["model_limits"])) == ("Renamed", 1)
    kept = await api.patch(at_key, headers=owner, json={"models": ["large"], "name": "Again"})
    assert kept.json()["models"] == ["large"]
    for at in (at_key, at_application):
        unheard = [{"models": ["unheard"], "requests_per_minute": 5}]
        refused = await api.patch(at, headers=owner, json={"model_limits": unheard})
        [error] = refused.json()["errors"]
        assert (refused.status_code, error["field"]) == (422, "model_limits.0.models")
