"""The API with people in it, each with a session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.sessions.sessions import begin_session
from backend.ids import new_id
from backend.storage.database import Database
from backend_client.types.accounts import Role

Headers = dict[str, str]
Join = Callable[[Role], Awaitable[tuple[str, Headers]]]


@pytest.fixture
async def tenant_id(api: httpx.AsyncClient, operator: Headers) -> str:
    """A tenant without members."""
    answer = await api.post("/v1/tenants", headers=operator, json={"slug": "one", "name": "One"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture
def join(database: Database, tenant_id: str) -> Join:
    """Lets a new person join the tenant; returns their id and a session's headers."""

    async def joined(role: Role) -> tuple[str, Headers]:
        name = new_id("usr")
        async with database.begin() as connection:
            user = await upsert_user(
                connection, issuer="test", subject=name, name=name, email=f"{name}@mail.example"
            )
            await add_member(connection, tenant_id, user, role)
            new_session = await begin_session(connection, user, tenant_id, seconds=600)
        return user, {"authorization": f"Bearer {new_session.token}"}

    return joined


@pytest.fixture
async def owner(join: Join) -> Headers:
    _, headers = await join(Role.OWNER)
    return headers


@pytest.fixture
async def application(api: httpx.AsyncClient, owner: Headers) -> str:
    """The id of the tenant's first application."""
    answer = await api.get("/v1/applications", headers=owner)
    return str(answer.json()["items"][0]["id"])
