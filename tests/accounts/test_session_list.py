"""A person sees where they are signed in and ends it; the operator ends a member's sessions."""

from __future__ import annotations

import time
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from backend.accounts.sessions.sessions import begin_session
from backend.storage.database import Database
from backend_client import AsyncFareboxClient, Forbidden, NotFound, Unauthenticated
from backend_client.types.accounts import Role, SignInSeen
from tests.accounts.conftest import Headers, Join
from tests.support.waiting import until

pytestmark = pytest.mark.engine

FIREFOX = SignInSeen(device="Mozilla/5.0 Firefox/140.0", address="192.0.2.7")


async def another_session(database: Database, user: str, tenant_id: str) -> str:
    async with database.begin() as connection:
        session = await begin_session(connection, user, tenant_id, seconds=600, seen=FIREFOX)
        return session.token


def client(url: str, credential: Headers | str) -> AsyncFareboxClient:
    secret = credential if isinstance(credential, str) else credential["authorization"][7:]
    return AsyncFareboxClient(url, secret)


async def ended(url: str, token: str) -> None:
    """Wait until a session is refused, which takes a second at most."""

    async def refused() -> bool:
        async with client(url, token) as gone:
            try:
                await gone.me.get()
            except Unauthenticated:
                return True
        return False

    await until(refused)


async def test_a_person_lists_and_ends_their_own_sessions(
    url: str, database: Database, join: Join, tenant_id: str
) -> None:
    user, headers = await join(Role.VIEWER)
    _, stranger = await join(Role.OWNER)
    tokens = [await another_session(database, user, tenant_id) for _ in range(3)]
    async with client(url, headers) as person, client(url, stranger) as other:
        listed = await person.sessions.list(limit=2).all()
        assert len(listed) == 4
        [current] = [session for session in listed if session.is_current]
        assert current.last_used_at is not None
        newest = listed[0]
        assert (newest.device, newest.address) == (FIREFOX.device, FIREFOX.address)
        assert newest.last_used_at is None
        assert not {token for token in tokens if token in repr(listed)}

        with pytest.raises(NotFound):
            await other.sessions.end_one(newest.id)
        await person.sessions.end_one(newest.id)
        await ended(url, tokens[2])
        with pytest.raises(NotFound):
            await person.sessions.end_one(newest.id)

        await person.sessions.end_others()
        await person.sessions.end_others()
        assert [each.is_current for each in await person.sessions.list().all()] == [True]
        for token in tokens:
            await ended(url, token)
        assert len(await other.sessions.list().all()) == 1


async def test_the_operator_ends_all_of_a_members_sessions(
    url: str, database: Database, join: Join, tenant_id: str, operator: Headers
) -> None:
    user, headers = await join(Role.OWNER)
    await another_session(database, user, tenant_id)
    async with client(url, operator) as seller, client(url, headers) as person:
        assert len(await seller.sessions.list_of_member(tenant_id, user).all()) == 2
        for refused in (
            person.sessions.end_all_of_member(tenant_id, user),
            seller.sessions.end_others(),
        ):
            with pytest.raises(Forbidden):
                await refused
        with pytest.raises(NotFound):
            await seller.sessions.end_all_of_member(tenant_id, "usr_none")
        await seller.sessions.end_all_of_member(tenant_id, user)
        await ended(url, headers["authorization"][7:])
        assert await seller.sessions.list_of_member(tenant_id, user).all() == []


@pytest.fixture
def distant(app: FastAPI) -> httpx.AsyncClient:
    """The API from an address that is not trusted."""
    transport = httpx.ASGITransport(app, client=("192.0.2.9", 1))
    return httpx.AsyncClient(transport=transport, base_url="http://api")


async def test_who_guesses_at_credentials_waits_and_nobody_else(
    distant: httpx.AsyncClient, api: httpx.AsyncClient, owner: Headers, join: Join
) -> None:
    assert (await distant.get("/v1/me", headers=owner)).status_code == 200
    statuses = []
    for number in range(100):
        guess = {"authorization": f"Bearer fb_live_{number}"}
        answer = await distant.get("/v1/me", headers=guess)
        statuses.append(answer.status_code)
    assert statuses[:60] == [401] * 60
    assert 429 in statuses
    assert answer.json()["code"] == "too_many_attempts"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    # What works goes on; so does whoever comes from elsewhere, and from a trusted address
    assert (await distant.get("/v1/me", headers=owner)).status_code == 200
    _, unfamiliar = await join(Role.VIEWER)
    assert (await api.get("/v1/me", headers=unfamiliar)).status_code == 200
    assert (await api.get("/v1/me", headers=guess)).status_code == 401


async def test_guesses_at_the_metrics_token_are_slowed_before_they_are_compared(
    app: FastAPI, distant: httpx.AsyncClient, api: httpx.AsyncClient
) -> None:
    """The right one among any number of guesses was let in."""
    now = app.state.services
    settings = now.settings.model_copy(update={"metrics_token": SecretStr("scrape")})
    app.state.services = replace(now, settings=settings)

    async def status(client: httpx.AsyncClient, token: str) -> int:
        headers = {"authorization": f"Bearer {token}"}
        return (await client.get("/metrics", headers=headers)).status_code

    assert await status(distant, "scrape") == 200
    guesses = [await status(distant, f"guess-{number}") for number in range(22)]
    assert guesses == [401] * 20 + [429] * 2
    assert await status(distant, "scrape") == 429
    assert await status(api, "scrape") == 200


async def test_guesses_at_coupons_and_invitations_are_slowed(
    api: httpx.AsyncClient, owner: Headers, join: Join
) -> None:
    """40 wrong coupons took 0.3 s, and each was answered that there is none."""
    _, other = await join(Role.OWNER)
    for path, body, own in (
        ("/v1/subscription/coupons", {"coupon": "summer"}, False),
        ("/v1/invitations/accept", {"secret": "fbi_x"}, True),
    ):
        statuses = [(await api.post(path, headers=owner, json=body)).status_code for _ in range(12)]
        assert statuses == [404] * 10 + [429] * 2
        # Invitations are guessed by a person, coupons for a tenant
        answer = await api.post(path, headers=other, json=body)
        assert answer.status_code == (404 if own else 429)


async def test_local_sign_in_is_slowed_by_address(distant: httpx.AsyncClient) -> None:
    began, statuses = time.monotonic(), list[int]()
    while 429 not in statuses:
        answer = await distant.post("/v1/sessions/local", json={"secret": "wrong"})
        statuses.append(answer.status_code)
        # Twenty at once, and another every three seconds, which a slow machine may need for them
        assert statuses.count(401) <= 20 + (time.monotonic() - began) / 3
    assert statuses[:20] == [401] * 20
