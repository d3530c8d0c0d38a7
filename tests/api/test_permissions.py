"""Every route declares who may call it, and the operator's keys open no more than their scopes."""

from __future__ import annotations

from typing import Final

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from backend.accounts.principal import (
    OPERATOR_PERMISSIONS,
    OPERATOR_SCOPE_PERMISSIONS,
    ROLE_PERMISSIONS,
    Permission,
)
from backend.gateway.protocols.routes import shape_of
from backend.storage.database import Database
from backend.storage.tables import members
from backend_client.types.accounts import Role
from backend_client.types.operator_keys import OperatorScope
from tests.api.isolation import OPEN
from tests.docs.permissions import needs_of
from tests.support.operators import operator_secret

ANY_CREDENTIAL: Final = {
    ("get", "/v1/me"): "says who the caller is",
    ("get", "/v1/plans"): "what is on sale, the same for everybody",
    ("get", "/v1/catalog/models"): "what is on sale, the same for everybody",
    ("get", "/v1/catalog/models/performance"): "how models perform, the same for everybody",
    ("patch", "/v1/sessions/current"): "a person's own session",
    ("delete", "/v1/sessions/current"): "a person's own session",
    ("delete", "/v1/sessions/current/view"): "a person's own session",
    ("get", "/v1/sessions"): "a person's own sessions",
    ("delete", "/v1/sessions"): "a person's own sessions",
    ("delete", "/v1/sessions/{session_id}"): "a person's own session",
    ("post", "/v1/invitations/accept"): "a person's own membership, by the link's secret",
}
"""Routes that need no permission, and why."""

READS_BY_POST: Final = {
    ("post", "/v1/events/preview"),
    ("post", "/v1/tenants/{tenant_id}/simulate"),
    ("post", "/v1/tenants/{tenant_id}/view"),
}
"""Questions with a body, and looking on: they change nothing."""

FOR_ADMINS_EYES: Final = {"/v1/operator-audit", "/v1/operator-audit/export", "/v1/operator-keys"}
"""What tells about the operator's own people and keys; the scope ``read`` does not reach it."""


@pytest.mark.slow
def test_every_route_declares_what_it_needs(engineless: FastAPI) -> None:
    undeclared = {route for route, permission in needs_of(engineless).items() if not permission}
    assert undeclared == OPEN | set(ANY_CREDENTIAL)


@pytest.mark.slow
def test_reading_all_tenants_permits_no_change(engineless: FastAPI) -> None:
    by_permission: dict[Permission, set[tuple[str, str]]] = {}
    for route, permission in needs_of(engineless).items():
        if permission in OPERATOR_PERMISSIONS:
            by_permission.setdefault(permission, set()).add(route)
    assert by_permission.keys() == OPERATOR_PERMISSIONS
    reads = by_permission[Permission.OPERATE_READ]
    assert {route for route in reads if route[0] != "get"} == READS_BY_POST
    changes = by_permission[Permission.OPERATE_ADMIN] | by_permission[Permission.OPERATE_BILLING]
    assert {path for method, path in changes if method == "get"} == FOR_ADMINS_EYES


@pytest.mark.engine
async def test_each_scope_opens_its_routes_and_no_other(
    app: FastAPI, api: httpx.AsyncClient, database: Database
) -> None:
    async with database.begin() as connection:
        secrets = {
            scope: await operator_secret(connection, scopes=[scope]) for scope in OperatorScope
        }
    wrong: list[object] = []
    needs = needs_of(app)
    for (method, path), permission in needs.items():
        if permission is None:
            continue
        url = path.replace("{", "").replace("}", "")  # of nothing that there is
        for scope, secret in secrets.items():
            headers = {"authorization": f"Bearer {secret}"}
            answer = await api.request(method, url, headers=headers)
            refused = answer.status_code == 403 and "permission" in answer.text
            if refused == (permission in OPERATOR_SCOPE_PERMISSIONS[scope]):
                wrong.append((method, path, scope.value, answer.status_code, answer.text))
    assert wrong == []


@pytest.mark.engine
async def test_a_role_of_a_moment_ago_permits_no_change(
    app: FastAPI, api: httpx.AsyncClient, database: Database, session: dict[str, str]
) -> None:
    """A session is cached for a second; another replica may have changed the role meanwhile."""
    me = (await api.get("/v1/me", headers=session)).json()
    mine = (members.c.tenant_id == me["tenant"]["id"], members.c.user_id == me["user_id"])
    authenticator = app.state.services.authenticator

    async def become(role: Role) -> None:
        async with database.begin() as connection:
            await connection.execute(update(members).where(*mine).values(role=role.value))

    allowed = ROLE_PERMISSIONS[Role.OWNER] - ROLE_PERMISSIONS[Role.VIEWER]
    # Of each kind of route the first: all ask by the same dependency
    changes = {
        (method, permission): (method, path)
        for (method, path), permission in reversed(needs_of(app).items())
        if permission in allowed and method != "get" and shape_of(path) is None
    }
    assert len(changes) > 10
    token = session["authorization"].removeprefix("Bearer ")
    acted: list[object] = []
    for method, path in changes.values():
        await become(Role.OWNER)
        authenticator.forget(token)
        await authenticator.authenticate(token)
        await become(Role.VIEWER)
        url = path.replace("{", "").replace("}", "")  # of nothing that there is
        answer = await api.request(method, url, headers=session)
        if answer.status_code != 403 or answer.json()["code"] != "permission_missing":
            acted.append((method, path, answer.status_code, answer.text))
    assert acted == []
