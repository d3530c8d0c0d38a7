"""Operator keys: no more than their scopes, until their end, and when they were last used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select, update

from backend.accounts.authenticator import Authenticator
from backend.errors import Unauthenticated
from backend.storage.database import Database
from backend.storage.tables import operator_keys
from backend_client.types.operator_keys import OperatorScope
from tests.accounts.conftest import Headers
from tests.support.operators import operator_secret
from tests.support.waiting import until

pytestmark = pytest.mark.engine

AT = "/v1/operator-keys"


def bearer(secret: str) -> Headers:
    return {"authorization": f"Bearer {secret}"}


async def test_a_key_for_ingest_reads_and_deletes_nothing(
    api: httpx.AsyncClient, database: Database, tenant_id: str
) -> None:
    async with database.begin() as connection:
        secret = await operator_secret(connection, "model servers", [OperatorScope.INGEST])
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "model-server",
        "type": "ai.usage",
        "subject": tenant_id,
        "data": {"application": "none", "model": "m", "quantities": {"x": 1}},
    }
    sent = await api.post("/v1/events", headers=bearer(secret), json=event)
    assert sent.status_code != 403
    for method, path in (
        ("DELETE", f"/v1/tenants/{tenant_id}"),
        ("GET", f"/v1/tenants/{tenant_id}/events"),
        ("GET", f"/v1/tenants/{tenant_id}/wallet"),
        ("GET", "/v1/tenants"),
        ("PUT", "/v1/catalog"),
    ):
        answer = await api.request(method, path, headers=bearer(secret))
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing"), path


async def test_a_key_is_made_listed_used_and_revoked_over_http(
    api: httpx.AsyncClient, operator: Headers, database: Database
) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    wanted = {"name": "reports", "scopes": ["admin", "read"], "expires_at": end.isoformat()}
    created = await api.post(AT, headers=operator, json=wanted)
    assert created.status_code == 201, created.text
    key, headers = created.json(), bearer(created.json()["secret"])
    assert key["scopes"] == ["read", "admin"]
    assert (await api.get("/v1/tenants", headers=headers)).status_code == 200
    (_, listed) = (await api.get(AT, headers=headers)).json()["items"]
    assert "secret" not in listed
    assert listed["last_used_at"] is not None

    more = {"name": "more", "scopes": ["billing"]}
    refused = await api.post(AT, headers=headers, json=more)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_not_held")
    past = more | {"expires_at": "2020-01-01T00:00:00Z"}
    late = await api.post(AT, headers=operator, json=past)
    assert (late.status_code, late.json()["code"]) == (422, "expiry_passed")

    for _ in range(2):
        gone = await api.delete(f"{AT}/{key['id']}", headers=operator)
        assert gone.status_code == 204
    with pytest.raises(Unauthenticated):
        await Authenticator(database).authenticate(created.json()["secret"])
    assert (await api.delete(f"{AT}/key_none", headers=operator)).status_code == 404
    entries = (await api.get("/v1/operator-audit", headers=operator)).json()["items"]
    assert [entry["action"] for entry in entries if entry["target"] == key["id"]] == [
        "operator_key.revoke",
        "operator_key.create",
    ]


async def test_an_end_holds_for_what_is_cached_too_and_use_is_written_once_a_minute(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.accounts.authenticator.KNOWN_SECONDS", 600.0)
    async with database.begin() as connection:
        secret = await operator_secret(connection)
    await Authenticator(database).authenticate(secret)
    async with database.begin() as connection:
        used = await connection.scalar(select(operator_keys.c.last_used_at))
    await Authenticator(database).authenticate(secret)
    async with database.begin() as connection:
        assert await connection.scalar(select(operator_keys.c.last_used_at)) == used

    async with database.begin() as connection:
        end = datetime.now(UTC) + timedelta(seconds=3)
        await connection.execute(update(operator_keys).values(expires_at=end))
    authenticator = Authenticator(database)
    await authenticator.authenticate(secret)

    async def refused() -> bool:
        try:
            await authenticator.authenticate(secret)
        except Unauthenticated:
            return True
        return False

    await until(refused)
    assert datetime.now(UTC) >= end
