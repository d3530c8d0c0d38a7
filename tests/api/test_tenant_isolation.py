"""Every route that the app has, called with another tenant's credential and this tenant's ids.

The routes are those of the OpenAPI document, so a new one is called too. One that takes a
parameter or a body that this file has no sample for fails the test: add the sample of tenant A's
below, that the route would leak if it looked no further than the id.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.members import add_member, upsert_user
from backend.accounts.sessions import begin_session
from backend.api import routers
from backend.storage.database import Database
from backend.storage.tables import metadata
from backend_client.types.accounts import Role, Scope
from tests.api.test_from_event_to_spend import until_usage

pytestmark = pytest.mark.engine

Headers = dict[str, str]

OPEN = {
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/v1/sign-in"),
    ("post", "/v1/sessions"),
    ("post", "/v1/sessions/local"),
}
"""Routes without a credential; what they answer is the same for everybody."""

OPERATORS = {
    ("get", "/v1/tenants"),
    ("post", "/v1/tenants"),
    ("delete", "/v1/tenants/{tenant_id}"),
    ("put", "/v1/catalog"),
    ("post", "/v1/tenants/{tenant_id}/wallet/grants"),
    ("post", "/v1/tenants/{tenant_id}/wallet/grants/{grant_id}/refund"),
    ("put", "/v1/tenants/{tenant_id}/wallet/top-ups/{top_up_id}"),
    ("get", "/v1/dead-letters"),
    ("get", "/v1/dead-letters/{sequence}"),
    ("post", "/v1/dead-letters/{sequence}/replay"),
    ("delete", "/v1/dead-letters/{sequence}"),
    ("get", "/v1/pipeline"),
}
"""Routes that no credential of a tenant opens."""

NO_ID = {
    "amount",
    "at",
    "cursor",
    "limit",
    "start",
    "end",
    "granularity",
    "format",
    "if-none-match",
}
"""Parameters that name nothing of anybody's."""


@dataclass
class Operation:
    """One method of one path, as the document describes it."""

    method: str
    path: str
    described: dict[str, Any]

    @property
    def name(self) -> tuple[str, str]:
        return self.method, self.path

    def parameters(self, place: str) -> list[dict[str, Any]]:
        return [one for one in self.described.get("parameters", []) if one["in"] == place]


@dataclass
class TenantOfTest:
    """A tenant with something of everything, and words that nobody else has said."""

    id: str
    headers: Headers
    ids: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def body(self, operation: Operation) -> Any:
        """What another tenant might send to reach this one's things."""
        application, key = self.ids["application"], self.ids["key"]
        event = {
            "specversion": "1.0",
            "id": "from-b",
            "source": "isolation",
            "type": "ai.usage",
            "data": {"application": application, "key": key, "model": "m", "quantities": {"x": 1}},
        }
        samples: dict[tuple[str, str], Any] = {
            ("post", "/v1/applications"): {"name": "Application of B"},
            ("post", "/v1/keys"): {"name": "Key of B", "application_id": application},
            ("patch", "/v1/members/{user_id}"): {"role": "viewer"},
            ("patch", "/v1/sessions/current"): {"tenant_id": self.id},
            ("put", "/v1/subscription"): {"plan": "pay-as-you-go"},
            ("post", "/v1/chat/completions"): {
                "model": "sample-small",
                "messages": [{"role": "user", "content": "hello"}],
            },
            ("post", "/v1/tokens/count"): {"model": "sample-small", "text": "hello"},
            ("post", "/v1/events"): [event, {**event, "id": "2", "subject": self.id}],
            ("post", "/v1/tenants"): {"slug": "of-b", "name": "Of B"},
            ("put", "/v1/catalog"): {},
            ("put", "/v1/wallet"): {"low_balance": "1"},
            ("post", "/v1/wallet/top-ups"): {"amount": "7"},
            ("post", "/v1/tenants/{tenant_id}/wallet/grants"): {
                "name": "Of B",
                "kind": "paid",
                "amount": "7",
            },
            ("put", "/v1/tenants/{tenant_id}/wallet/top-ups/{top_up_id}"): {
                "state": "paid",
                "reference": "of B",
            },
            ("post", "/v1/dead-letters/{sequence}/replay"): {"events": [event]},
            ("post", "/v1/sessions"): {"id_token": "none", "nonce": "none"},
            ("post", "/v1/sessions/local"): {"secret": "none"},
        }
        assert operation.name in samples, f"{operation.name}: say what of A's its body can name"
        return samples[operation.name]

    def request(self, operation: Operation) -> dict[str, Any]:
        """The arguments of a request that names this tenant's things wherever it can."""
        known = {
            **self.ids,
            "tenant_id": self.id,
            "key_id": self.ids["key"],
            "user_id": self.ids["user"],
            "group_by": "model",
            "sequence": "1",
        }
        url = operation.path
        for one in operation.parameters("path"):
            assert one["name"] in known, f"{operation.name}: say what of A's {one['name']} names"
            url = url.replace("{" + one["name"] + "}", known[one["name"]])
        query = {one["name"] for one in operation.parameters("query")} - NO_ID
        assert query <= set(known), f"{operation.name}: say what of A's {query - set(known)} name"
        headers = {one["name"].lower() for one in operation.parameters("header")} - NO_ID
        assert headers <= {"idempotency-key"}, f"{operation.name}: a sample of {headers}"
        arguments: dict[str, Any] = {
            "method": operation.method.upper(),
            "url": url,
            "params": {name: known[name] for name in query},
            "headers": {"idempotency-key": f"once {operation.path}"} if headers else {},
        }
        if "requestBody" in operation.described:
            arguments["json"] = self.body(operation)
        return arguments


def operations(app: FastAPI) -> Iterator[Operation]:
    """Every operation; no router's route is kept out of the document."""
    document = app.openapi()
    routes = {
        (method.lower(), route.path.replace(":path}", "}"))
        for module in pkgutil.iter_modules(routers.__path__, f"{routers.__name__}.")
        for route in import_module(module.name).router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    described = {(m, path) for path, item in document["paths"].items() for m in item}
    assert routes == described
    for method, path in sorted(described):
        yield Operation(method, path, document["paths"][path][method])


async def session_of(connection: AsyncConnection, tenant_id: str, user_id: str) -> Headers:
    made = await begin_session(connection, user_id, tenant_id, seconds=600)
    return {"authorization": f"Bearer {made.token}"}


async def tenant_with_owner(
    api: httpx.AsyncClient, database: Database, operator: Headers, name: str
) -> TenantOfTest:
    made = await api.post(
        "/v1/tenants",
        headers=operator,
        json={"slug": f"{name}-slug", "name": f"{name}-name", "plan": "pay-as-you-go"},
    )
    assert made.status_code == 201, made.text
    tenant_id = made.json()["id"]
    async with database.begin() as connection:
        user = await upsert_user(
            connection,
            issuer="test",
            subject=name,
            name=f"{name}-person",
            email=f"{name}@mail.example",
        )
        await add_member(connection, tenant_id, user, Role.OWNER)
        headers = await session_of(connection, tenant_id, user)
    applications = (await api.get("/v1/applications", headers=headers)).json()["items"]
    return TenantOfTest(
        tenant_id,
        headers,
        {"user": user, "application": applications[0]["id"]},
        [f"{name}-slug", f"{name}-name", f"{name}-person", f"{name}@mail.example", tenant_id],
    )


@pytest.fixture
async def planted(
    api: httpx.AsyncClient, database: Database, operator: Headers, worker: None
) -> TenantOfTest:
    """Tenant A, with a name of its own on everything it has."""
    tenant = await tenant_with_owner(api, database, operator, "marker-a")
    for path, body in (
        ("/v1/applications", {"name": "marker-application"}),
        ("/v1/keys", {"name": "marker-key", "application_id": tenant.ids["application"]}),
        (
            "/v1/keys",
            {
                "name": "marker-ingest",
                "application_id": tenant.ids["application"],
                "scopes": ["events:write"],
            },
        ),
    ):
        # The second key is made without: what B sends must not meet what A sent.
        once = {} if "key" in tenant.ids else {"idempotency-key": f"once {path}"}
        made = await api.post(path, headers=tenant.headers | once, json=body)
        assert made.status_code == 201, made.text
        tenant.ids["key" if path.endswith("keys") else "second"] = made.json()["id"]
        tenant.words += [body["name"], made.json()["id"]]
    grant = await api.post(
        f"/v1/tenants/{tenant.id}/wallet/grants",
        headers=operator,
        json={"name": "marker-grant", "kind": "paid", "amount": "9"},
    )
    top_up = await api.post("/v1/wallet/top-ups", headers=tenant.headers, json={"amount": "8"})
    tenant.ids |= {"grant_id": grant.json()["id"], "top_up_id": top_up.json()["id"]}
    tenant.words += ["marker-grant", grant.json()["id"], top_up.json()["id"]]
    event = {
        "specversion": "1.0",
        "id": "marker-event",
        "source": "marker-source",
        "type": "ai.usage",
        "data": {
            "application": tenant.ids["application"],
            "key": tenant.ids["key"],
            "model": "marker-model",
            "quantities": {"marker_meter": 987654321},
            "labels": {"team": "marker-label"},
        },
    }
    ingest = {"authorization": f"Bearer {made.json()['secret']}"}
    sent = await api.post("/v1/events", headers=ingest, json=event)
    assert sent.json()["accepted"] == 1, sent.text
    await until_usage(api, tenant.headers)
    tenant.ids |= {"model": "marker-model", "meter": "marker_meter"}
    tenant.words += [
        *("marker-event", "marker-source", "marker-model", "marker_meter", "marker-label"),
        *("987654321", tenant.ids["user"], tenant.ids["application"]),
    ]
    return tenant


async def everything_of(database: Database, tenant: TenantOfTest) -> dict[str, list[str]]:
    """Every row that any table keeps for the tenant."""
    kept: dict[str, list[str]] = {}
    async with database.begin() as connection:
        for name, table in metadata.tables.items():
            column = table.c.get("tenant_id", table.c.id if name == "tenants" else None)
            if column is not None:
                rows = await connection.execute(select(table).where(column == tenant.id))
                kept[name] = sorted(repr(row) for row in rows)
    return kept


def told(answer: httpx.Response, request: dict[str, Any], tenant: TenantOfTest) -> list[str]:
    """Words of the tenant's that the answer holds and the request did not."""
    asked = json.dumps(request)
    answered = f"{answer.text} {answer.headers}"
    return [word for word in tenant.words if word in answered and word not in asked]


async def test_no_route_tells_or_takes_anything_of_another_tenant(
    app: FastAPI,
    api: httpx.AsyncClient,
    database: Database,
    operator: Headers,
    planted: TenantOfTest,
) -> None:
    other = await tenant_with_owner(api, database, operator, "tenant-b")
    keys: dict[str, Headers] = {}
    for scope in Scope:
        made = await api.post(
            "/v1/keys",
            headers=other.headers,
            json={
                "name": scope.value,
                "application_id": other.ids["application"],
                "scopes": [scope.value],
            },
        )
        keys[f"a key for {scope.value}"] = {"authorization": f"Bearer {made.json()['secret']}"}
    before = await everything_of(database, planted)
    assert before["api_keys"]
    assert before["rollups"]
    assert before["events"]

    wrong: list[object] = []
    for operation in operations(app):
        request = planted.request(operation)
        names_an_id = bool(operation.parameters("path")) and operation.name not in OPERATORS
        async with database.begin() as connection:  # anew: a route may end the session
            owner = await session_of(connection, other.id, other.ids["user"])
        for who, credential in {"an owner": owner, **keys}.items():
            answer = await api.request(**request | {"headers": credential | request["headers"]})
            case = (*operation.name, who, answer.status_code)
            if answer.status_code >= 500:
                wrong.append((*case, answer.text))
            if found := told(answer, request, planted):
                wrong.append((*case, "tells", found))
            if names_an_id and answer.status_code not in {403, 404}:
                wrong.append((*case, "is not refused"))
            if operation.name in OPERATORS and answer.status_code != 403:
                wrong.append((*case, "is the operator's"))
    assert wrong == []
    assert await everything_of(database, planted) == before


async def test_a_tenant_is_told_its_own(
    app: FastAPI, api: httpx.AsyncClient, planted: TenantOfTest
) -> None:
    """The words that the test above looks for do come up where they may."""
    heard: set[str] = set()
    for operation in operations(app):
        if operation.method == "get" and operation.name not in OPEN | OPERATORS:
            request = planted.request(operation)
            answer = await api.request(**request | {"headers": planted.headers})
            heard |= {word for word in planted.words if word in answer.text}
    # Labels that are not declared, and the identity of events, stay with the events.
    unheard = {"marker-label", "marker-event", "marker-source"}
    assert set(planted.words) - heard <= unheard


async def test_without_a_credential_nothing_is_answered(
    app: FastAPI, api: httpx.AsyncClient, planted: TenantOfTest
) -> None:
    expired = {"authorization": f"Bearer fbs_{datetime.now(UTC):%s}"}
    wrong = []
    for operation in operations(app):
        request = planted.request(operation) if operation.name not in OPEN else {}
        for credential in ({}, expired, {"authorization": "Basic eDp5"}):
            if operation.name not in OPEN:
                answer = await api.request(**request | {"headers": credential})
                if answer.status_code != 401 or told(answer, request, planted):
                    wrong.append((*operation.name, credential, answer.status_code, answer.text))
    assert wrong == []


async def test_open_routes_say_the_same_to_everybody(
    app: FastAPI, api: httpx.AsyncClient, planted: TenantOfTest
) -> None:
    assert {operation.name for operation in operations(app)} >= OPEN | OPERATORS
    for method, path in sorted(OPEN):
        if method == "get":
            answer = await api.get(path)
            assert answer.status_code == 200
            assert told(answer, {}, planted) == []
