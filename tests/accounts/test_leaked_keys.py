"""Keys that were found in public: ended, recorded, and their owners notified, once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import audit_entries, notifications
from backend_client.types.accounts import Role
from tests.accounts.conftest import Headers, Join
from tests.accounts.scanner_double import ScannerDouble
from tests.support.serving import served

pytestmark = pytest.mark.engine

URL = "https://code.example/acme/app/blob/1a2b3c/config.py"
SCAN = "/v1/secret-scanning"


@pytest.fixture
def scanner() -> ScannerDouble:
    return ScannerDouble()


@pytest.fixture
async def keys_url(scanner: ScannerDouble) -> AsyncIterator[str]:
    async with served(scanner.app) as url:
        yield f"{url}/meta/public_keys/secret_scanning"


@pytest.fixture
def api_settings(api_settings: Settings, keys_url: str) -> Settings:
    return api_settings.model_copy(update={"secret_scanning_keys_url": keys_url})


async def make(api: httpx.AsyncClient, owner: Headers) -> dict[str, Any]:
    application = (await api.get("/v1/applications", headers=owner)).json()["items"][0]["id"]
    body = {"name": "web", "application_id": application, "scopes": ["usage:read"]}
    key: dict[str, Any] = (await api.post("/v1/keys", headers=owner, json=body)).json()
    return key


async def scanned(
    api: httpx.AsyncClient, scanner: ScannerDouble, *secrets: str, url: str = URL
) -> list[str]:
    """What the scanner is answered of each secret."""
    matches = [
        {"token": secret, "type": "farebox", "url": url, "source": "content"} for secret in secrets
    ]
    body, headers = scanner.message(*matches)
    answer = await api.post(SCAN, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert [each["token_raw"] for each in answer.json()] == list(secrets)
    assert {each["token_type"] for each in answer.json()} <= {"farebox"}
    return [each["label"] for each in answer.json()]


async def status(api: httpx.AsyncClient, secret: str) -> int:
    answer = await api.get("/v1/usage", headers={"authorization": f"Bearer {secret}"})
    return answer.status_code


async def recorded(database: Database, action: str) -> list[dict[str, Any]]:
    async with database.begin() as connection:
        rows = await connection.execute(
            select(audit_entries).where(audit_entries.c.action == action)
        )
        return [dict(row) for row in rows.mappings()]


async def notices(database: Database) -> list[dict[str, Any]]:
    async with database.begin() as connection:
        rows = await connection.execute(
            select(notifications.c.data, notifications.c.tenant_id).where(
                notifications.c.kind == "key.leaked"
            )
        )
        return [{**row.data, "tenant_id": row.tenant_id} for row in rows]


async def test_a_key_that_a_scanner_found_is_revoked_once_with_the_place(
    api: httpx.AsyncClient,
    owner: Headers,
    database: Database,
    scanner: ScannerDouble,
    tenant_id: str,
) -> None:
    leaked, other = await make(api, owner), await make(api, owner)
    secret = leaked["secret"]
    mistyped = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    assert await status(api, secret) == 200
    answers = await scanned(api, scanner, mistyped, secret, "fb_live_nobody", "", "fbs_x")
    assert answers == ["false_positive", "true_positive", *["false_positive"] * 3]
    assert [await status(api, each["secret"]) for each in (leaked, other)] == [401, 200]
    assert await scanned(api, scanner, secret, secret) == ["true_positive"] * 2

    (entry,) = await recorded(database, "key.leak")
    assert (entry["tenant_id"], entry["target"]) == (tenant_id, leaked["id"])
    assert (entry["actor"], entry["actor_kind"]) == ("secret-scanning", "operator")
    assert entry["detail"] == {"outcome": "revoked", "url": URL, "source": "content"}
    assert len(await recorded(database, "key.revoke")) == 1
    (notice,) = await notices(database)
    shown = f"fb_live_…{leaked['last_four']}"
    assert (notice["tenant_id"], notice["key_id"]) == (tenant_id, leaked["id"])
    assert (notice["url"], notice["key_shown"], notice["outcome"]) == (URL, shown, "revoked")


async def test_a_secret_in_the_places_address_is_kept_nowhere(
    api: httpx.AsyncClient, owner: Headers, database: Database, scanner: ScannerDouble
) -> None:
    secret = (await make(api, owner))["secret"]
    url = f"https://code.example/?key={secret}\x1b[31m" + "x" * 3_000
    assert await scanned(api, scanner, secret, url=url) == ["true_positive"]
    kept = json.dumps(
        [*await recorded(database, "key.leak"), *await notices(database)], default=str
    )
    assert "https://code.example/?key=[key][31mx" in kept
    assert secret not in kept
    assert "x" * 2_001 not in kept


async def test_messages_that_nobody_signed_end_nothing_and_slow_who_sends_them(
    api: httpx.AsyncClient, owner: Headers, scanner: ScannerDouble, app: Any
) -> None:
    secret = (await make(api, owner))["secret"]
    body, headers = ScannerDouble().message({"token": secret, "type": "farebox", "url": URL})
    transport = httpx.ASGITransport(app, client=("203.0.113.5", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://farebox") as stranger:
        for _ in range(20):
            answer = await stranger.post(SCAN, content=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "scan_signature_wrong")
        slowed = await stranger.post(SCAN, content=body, headers=headers)
        assert (slowed.status_code, slowed.json()["code"]) == (429, "too_many_attempts")
    assert await status(api, secret) == 200
    long = b"[" + b" " * 1024 * 1024 + b"]"
    refused = await api.post(SCAN, content=long, headers=scanner.signed(long))
    assert refused.status_code == 413
    assert await scanned(api, scanner, secret) == ["true_positive"]


async def test_of_a_rotated_key_the_leaked_secret_ends_alone(
    api: httpx.AsyncClient, owner: Headers, database: Database, operator: Headers
) -> None:
    key = await make(api, owner)
    rotated = await api.post(f"/v1/keys/{key['id']}/rotate", headers=owner, json={})
    present = rotated.json()["secret"]
    leak = {"secret": f" {key['secret']} ", "url": URL}
    answer = await api.post("/v1/leaked-keys", headers=operator, json=leak)
    assert answer.json()["outcome"] == "secret_ended", answer.text
    assert [await status(api, secret) for secret in (key["secret"], present)] == [401, 200]
    assert [notice["outcome"] for notice in await notices(database)] == ["secret_ended"]
    again = await api.post("/v1/leaked-keys", headers=operator, json=leak)
    assert (again.status_code, again.json()["outcome"]) == (200, "none")
    assert len(await notices(database)) == 1


async def test_an_operators_key_is_revoked_and_recorded(
    api: httpx.AsyncClient, operator: Headers, database: Database, scanner: ScannerDouble
) -> None:
    wanted = {"name": "ingest", "scopes": ["read"]}
    key = (await api.post("/v1/operator-keys", headers=operator, json=wanted)).json()
    assert await scanned(api, scanner, key["secret"], key["secret"]) == ["true_positive"] * 2
    (entry,) = await recorded(database, "operator_key.leak")
    assert (entry["tenant_id"], entry["target"]) == ("", key["id"])
    assert entry["detail"]["url"] == URL
    headers = {"authorization": f"Bearer {key['secret']}"}
    assert (await api.get("/v1/tenants", headers=headers)).status_code == 401


async def test_only_the_operator_reports_and_nobody_else_learns_whose_a_key_is(
    api: httpx.AsyncClient, owner: Headers, operator: Headers, join: Join
) -> None:
    secret = (await make(api, owner))["secret"]
    _, admin = await join(Role.ADMIN)
    for caller in (owner, admin, {"authorization": f"Bearer {secret}"}):
        answer = await api.post("/v1/leaked-keys", headers=caller, json={"secret": secret})
        assert answer.status_code == 403
    assert await status(api, secret) == 200
    unknown = await api.post("/v1/leaked-keys", headers=operator, json={"secret": "fb_live_x"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "key_not_found")
