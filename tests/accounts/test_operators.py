"""Who is an operator by the identity provider's word or by a grant, and who may sign up at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from oidc_provider_mock import User, run_server_in_thread
from sqlalchemy import select, update

from backend.accounts.authenticator import KNOWN_SECONDS
from backend.accounts.members.operators import (
    PersonNamed,
    grant_operator,
    list_operators,
    revoke_operator,
)
from backend.accounts.principal import COMMAND_LINE
from backend.errors import NotFound
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import notifications, users
from tests.accounts.conftest import Headers
from tests.accounts.provider import CLIENT, sign_in_body
from tests.support.waiting import until

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("ignore::authlib.deprecate.AuthlibDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning"),
]

GROUP = "farebox-operators"


def person(sub: str, *groups: str, verified: bool | None = True) -> User:
    claims: dict[str, object] = {"name": sub.title(), "email": f"{sub}@mail.example"}
    if verified is not None:
        claims["email_verified"] = verified
    return User(sub=sub, claims={**claims, "realm": {"groups": list(groups)}})


PEOPLE = [
    person("sam", "staff", GROUP),
    person("ada"),
    person("eve", verified=False),
    person("una", verified=None),
]

SignIn = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_server_in_thread(require_nonce=True, user_claims=PEOPLE) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def api_settings(api_settings: Settings, issuer: str) -> Settings:
    """Sign-up is by invitation, as it is where nothing else is set."""
    return api_settings.model_copy(
        update={
            "oidc_issuer": issuer,
            "oidc_client_id": CLIENT,
            "operator_claim": "realm.groups",
            "operator_group": GROUP,
            "public_url": "https://portal.example/",
        }
    )


@pytest.fixture
def sign_in(api: httpx.AsyncClient, issuer: str) -> SignIn:
    async def signed_in(name: str, **more: str) -> httpx.Response:
        body = await sign_in_body(issuer, name)
        return await api.post("/v1/sessions", json={**body, **more})

    return signed_in


def headers_of(answer: httpx.Response) -> Headers:
    assert answer.status_code == 201, answer.text
    return {"authorization": f"Bearer {answer.json()['token']}"}


async def make_tenant(
    api: httpx.AsyncClient, by: Headers, slug: str, owner: str
) -> dict[str, object]:
    wanted = {"slug": slug, "name": slug.title(), "owner": owner}
    answer = await api.post("/v1/tenants", headers=by, json=wanted)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_the_providers_group_makes_an_operator_until_the_next_sign_in_without_it(
    api: httpx.AsyncClient, sign_in: SignIn, database: Database, api_settings: Settings
) -> None:
    answer = await sign_in("sam")
    sam = headers_of(answer)
    lasts = datetime.fromisoformat(answer.json()["expires_at"]) - datetime.now(UTC)
    assert lasts <= timedelta(seconds=api_settings.operator_session_seconds)
    assert (await api.get("/v1/me", headers=sam)).json()["is_operator"] is True
    assert (await api.get("/v1/tenants", headers=sam)).status_code == 200
    async with database.begin() as connection:
        assert [(item.person, item.how) for item in await list_operators(connection)] == [
            ("sam@mail.example", "sign-in")
        ]

    # The provider takes them out of the group: the next sign-in ends it for the first session too
    api_settings.operator_group = "another group"
    again = headers_of(await sign_in("sam"))
    assert (await api.get("/v1/tenants", headers=again)).status_code == 403

    async def refused() -> bool:
        return (await api.get("/v1/tenants", headers=sam)).status_code == 403

    await until(refused, seconds=KNOWN_SECONDS + 5)
    assert (await api.get("/v1/me", headers=sam)).json()["is_operator"] is False


async def test_no_session_outlasts_what_a_later_sign_in_said_of_an_operator(
    api: httpx.AsyncClient, sign_in: SignIn, database: Database, api_settings: Settings
) -> None:
    """One begun before somebody was in the group could have been an operator's for longer."""
    api_settings.operator_group = "another group"
    async with database.begin() as connection:
        await grant_operator(connection, COMMAND_LINE, PersonNamed(email="sam@mail.example"))
    await sign_in("sam")
    async with database.begin() as connection:
        await revoke_operator(connection, COMMAND_LINE, PersonNamed(email="sam@mail.example"))
    long = datetime.fromisoformat((await sign_in("sam")).json()["expires_at"])
    api_settings.operator_group = GROUP
    latest = datetime.now(UTC) + timedelta(seconds=api_settings.operator_session_seconds + 60)
    assert long > latest
    sam = headers_of(await sign_in("sam"))
    listed = (await api.get("/v1/sessions", headers=sam)).json()["items"]
    assert len(listed) == 3
    assert all(datetime.fromisoformat(each["expires_at"]) < latest for each in listed)


async def test_a_grant_makes_an_operator_of_a_verified_address_or_a_subject(
    api: httpx.AsyncClient, sign_in: SignIn, database: Database, issuer: str
) -> None:
    by_address = PersonNamed(email="ADA@mail.example")
    async with database.begin() as connection:
        for _ in range(2):
            await grant_operator(connection, COMMAND_LINE, by_address)
        for name in ("eve", "una"):
            await grant_operator(
                connection, COMMAND_LINE, PersonNamed(email=f"{name}@mail.example")
            )
    ada = headers_of(await sign_in("ada"))
    assert (await api.get("/v1/tenants", headers=ada)).status_code == 200
    for unverified in ("eve", "una"):
        assert (await sign_in(unverified)).json()["code"] == "not_invited"
    async with database.begin() as connection:
        await grant_operator(connection, COMMAND_LINE, PersonNamed(issuer=issuer, subject="eve"))
    eve = headers_of(await sign_in("eve"))
    assert (await api.get("/v1/tenants", headers=eve)).status_code == 200

    async with database.begin() as connection:
        await revoke_operator(connection, COMMAND_LINE, by_address)
        with pytest.raises(NotFound):
            await revoke_operator(connection, COMMAND_LINE, by_address)
        listed = await list_operators(connection)
    assert [item.person for item in listed if item.revoked_at] == ["ADA@mail.example"]

    async def refused() -> bool:
        return (await api.get("/v1/tenants", headers=ada)).status_code == 403

    await until(refused, seconds=KNOWN_SECONDS + 5)


async def test_an_operator_brings_the_first_owner_in_and_acts_under_their_own_name(
    api: httpx.AsyncClient, sign_in: SignIn, database: Database
) -> None:
    sam = headers_of(await sign_in("sam"))
    refused = await sign_in("ada")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_invited")
    async with database.begin() as connection:
        assert await connection.scalar(select(users.c.id).where(users.c.subject == "ada")) is None

    acme = await make_tenant(api, sam, "acme", "Ada@mail.example")
    invitation = dict(acme["invitation"])  # type: ignore[call-overload]  # a JSON object
    assert invitation["link"] == f"https://portal.example/invitation/#{invitation['secret']}"
    assert (invitation["role"], invitation["by_operator"]) == ("owner", True)
    async with database.begin() as connection:
        [letter] = (await connection.execute(select(notifications))).mappings()
    assert letter["kind"] == "invitation.created"
    assert letter["data"]["email"] == "Ada@mail.example"
    assert str(invitation["secret"]) not in str(dict(letter))

    path = f"/v1/tenants/{acme['id']}"
    applications = (await api.get(f"{path}/applications", headers=sam)).json()["items"]
    wanted = {"name": "Made for them", "application_id": applications[0]["id"]}
    key = await api.post(f"{path}/keys", headers=sam, json=wanted)
    assert key.status_code == 201
    bearer = {"authorization": f"Bearer {key.json()['secret']}"}
    assert (await api.get("/v1/me", headers=bearer)).json()["tenant"]["id"] == acme["id"]

    # Signing in with the verified address is enough; an address that is not verified is not
    other = await make_tenant(api, sam, "other", "eve@mail.example")
    assert (await sign_in("eve")).json()["code"] == "not_invited"
    wrong = await sign_in("eve", invitation=str(invitation["secret"]))
    assert (wrong.status_code, wrong.json()["code"]) == (403, "invitation_for_another")
    ada = headers_of(await sign_in("ada"))
    me = (await api.get("/v1/me", headers=ada)).json()
    assert (me["tenant"]["id"], me["role"], me["is_operator"]) == (acme["id"], "owner", False)
    assert (await api.get("/v1/tenants", headers=ada)).status_code == 403

    operator = (await api.get("/v1/me", headers=sam)).json()["user_id"]
    entries = (await api.get("/v1/audit", headers=ada)).json()["items"]
    acts = {(entry["actor"], entry["actor_kind"], entry["action"]) for entry in entries}
    assert {(operator, "operator", "key.create"), (operator, "operator", "tenant.create")} <= acts
    assert (me["user_id"], "user", "invitation.accept") in acts
    members = (await api.get(f"{path}/members", headers=sam)).json()["items"]
    assert [member["user_id"] for member in members] == [me["user_id"]]
    listed = (await api.get(f"/v1/tenants/{other['id']}/invitations", headers=sam)).json()["items"]
    assert [item["accepted_at"] for item in listed] == [None]


async def test_an_invitations_link_lets_a_new_person_sign_up_once(
    api: httpx.AsyncClient, sign_in: SignIn, operator: Headers
) -> None:
    acme = await make_tenant(api, operator, "acme", "ada@mail.example")
    ada = headers_of(await sign_in("ada"))
    for role in ("viewer", "developer"):
        answer = await api.post("/v1/invitations", headers=ada, json={"role": role})
        assert answer.status_code == 201
        secret = answer.json()["secret"]
        una = headers_of(await sign_in("una", invitation=secret))
        me = (await api.get("/v1/me", headers=una)).json()
        assert (me["tenant"]["id"], me["role"]) == (acme["id"], "viewer")
    again = headers_of(await sign_in("ada", invitation=str(dict(acme["invitation"])["secret"])))  # type: ignore[call-overload]  # a JSON object
    assert (await api.get("/v1/me", headers=again)).json()["tenant"]["id"] == acme["id"]
    closed = await sign_in("una", invitation="fbi_none")
    assert (closed.status_code, closed.json()["code"]) == (404, "invitation_not_found")
    # What a tenant sends to an address is for that address, but needs the link
    mailed = {"role": "admin", "email": "eve@mail.example"}
    answer = await api.post("/v1/invitations", headers=ada, json=mailed)
    assert answer.json()["by_operator"] is False
    assert (await sign_in("eve")).json()["code"] == "not_invited"
    wrong = await sign_in("eve", invitation=answer.json()["secret"])
    assert wrong.json()["code"] == "invitation_for_another"


async def test_an_owner_who_is_removed_does_not_come_back_by_signing_in(
    api: httpx.AsyncClient, sign_in: SignIn, operator: Headers
) -> None:
    acme = await make_tenant(api, operator, "acme", "ada@mail.example")
    ada = headers_of(await sign_in("ada"))
    invited = await api.post(
        f"/v1/tenants/{acme['id']}/invitations",
        headers=operator,
        json={"role": "owner", "email": "sam@mail.example"},
    )
    assert invited.status_code == 201
    sam = headers_of(await sign_in("sam"))
    user = (await api.get("/v1/me", headers=ada)).json()["user_id"]
    gone = await api.delete(f"/v1/tenants/{acme['id']}/members/{user}", headers=operator)
    assert gone.status_code == 204
    assert (await sign_in("ada")).json()["code"] == "not_invited"
    members = (await api.get("/v1/members", headers=sam)).json()["items"]
    assert len(members) == 1


async def test_an_invitation_of_a_member_is_not_used_up_and_ends_with_the_membership(
    api: httpx.AsyncClient, sign_in: SignIn, operator: Headers
) -> None:
    acme = await make_tenant(api, operator, "acme", "ada@mail.example")
    ada = headers_of(await sign_in("ada"))
    at = f"/v1/tenants/{acme['id']}/invitations"

    async def invite(subject: str, role: str) -> str:
        wanted = {"role": role, "email": f"{subject}@mail.example"}
        return str((await api.post(at, headers=operator, json=wanted)).json()["id"])

    async def is_open(invitation: str) -> bool:
        items = (await api.get(at, headers=operator)).json()["items"]
        [item] = [item for item in items if item["id"] == invitation]
        return item["accepted_at"] is None and item["revoked_at"] is None

    for_an_owner = await invite("ada", "viewer")
    joins, again = await invite("sam", "owner"), await invite("sam", "viewer")
    await sign_in("ada")
    await sign_in("sam")
    assert await is_open(for_an_owner)
    assert [await is_open(each) for each in (joins, again)] == [False, True]
    accepted = (await api.get("/v1/audit?action=invitation.accept", headers=ada)).json()["items"]
    assert len(accepted) == 2

    user = (await api.get("/v1/me", headers=ada)).json()["user_id"]
    members = f"/v1/tenants/{acme['id']}/members"
    assert (await api.delete(f"{members}/{user}", headers=operator)).status_code == 204
    assert not await is_open(for_an_owner)
    assert (await sign_in("ada")).json()["code"] == "not_invited"


async def test_new_tenants_have_the_installations_currency_and_time_zone(
    api: httpx.AsyncClient, operator: Headers, api_settings: Settings
) -> None:
    api_settings.default_time_zone, api_settings.default_currency = "Europe/Berlin", "EUR"
    euro = {"id": "euro", "name": "Euro", "currency": "EUR"}
    catalog = {"version": 1, "default_plan": "euro", "models": [], "plans": [euro]}
    applied = await api.put("/v1/catalog", headers=operator, json=catalog)
    assert applied.status_code == 200, applied.text
    created = await make_tenant(api, operator, "acme", "ada@mail.example")
    assert (created["currency"], created["time_zone"]) == ("EUR", "Europe/Berlin")
    path = f"/v1/tenants/{created['id']}"
    changed = await api.patch(path, headers=operator, json={"name": "Acme Ltd"})
    assert (await api.get(path, headers=operator)).json() == changed.json()
    assert changed.json()["name"] == "Acme Ltd"


async def test_what_sql_made_an_operator_is_ended_by_the_next_sign_in(
    api: httpx.AsyncClient, sign_in: SignIn, operator: Headers, database: Database
) -> None:
    await make_tenant(api, operator, "acme", "ada@mail.example")
    await sign_in("ada")
    async with database.begin() as connection:
        await connection.execute(update(users).values(is_operator=True))
    ada = headers_of(await sign_in("ada"))
    assert (await api.get("/v1/tenants", headers=ada)).status_code == 403
