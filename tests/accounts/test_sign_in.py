"""Sign-in at a provider, from the portal's button to a session: authorization code with PKCE."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx
import pytest
from oidc_provider_mock import User, run_server_in_thread
from pydantic import SecretStr
from starlette.applications import Starlette

from backend.kit.tls import tls_context
from backend.settings import Settings
from portal.server.sign_in_routes import AuthRoutes
from portal.settings import SESSION_COOKIE, PortalSettings
from tests.accounts.conftest import Headers

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("ignore::authlib.deprecate.AuthlibDeprecationWarning"),
]

PORTAL = "http://127.0.0.1:3000"
CLIENT = "farebox"


@pytest.fixture
def issuer() -> Iterator[str]:
    ada = User(sub="ada", claims={"name": "Ada", "email": "ada@mail.example"})
    with run_server_in_thread(require_nonce=True, user_claims=[ada]) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def api_settings(api_settings: Settings, issuer: str) -> Settings:
    """The API's settings, with the provider; everybody may sign up."""
    return api_settings.model_copy(
        update={"oidc_issuer": issuer, "oidc_client_id": CLIENT, "sign_up": "open"}
    )


@dataclass
class Browser:
    """A browser at the portal, which follows redirects by hand."""

    portal: httpx.AsyncClient
    provider: httpx.AsyncClient

    async def log_in(self, wanted: str = "/usage") -> httpx.URL:
        """Press the portal's button; return where it sends the browser."""
        answer = await self.portal.get("/auth/login", params={"next": wanted})
        assert answer.status_code == 302
        return httpx.URL(answer.headers["location"])

    async def consent(self, url: httpx.URL, **form: str) -> httpx.URL:
        """Sign in at the provider; return where it sends the browser."""
        answer = await self.provider.post(url, data=form)
        assert answer.status_code == 302, answer.text
        return httpx.URL(answer.headers["location"])

    async def come_back(self, url: httpx.URL) -> str:
        """Go to where the provider says; return where the portal sends the browser."""
        assert str(url).startswith(f"{PORTAL}/auth/callback")
        answer = await self.portal.get(url)
        assert answer.status_code == 303
        return answer.headers["location"]


@pytest.fixture
async def browser(url: str, issuer: str) -> AsyncIterator[Browser]:
    settings = PortalSettings(
        api_url=url,
        oidc_issuer=issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SecretStr("a secret"),
    )
    app = Starlette(routes=[AuthRoutes(settings).mount()])
    transport = httpx.ASGITransport(app)
    async with (
        httpx.AsyncClient(transport=transport, base_url=PORTAL) as portal,
        httpx.AsyncClient(verify=tls_context()) as provider,
    ):
        yield Browser(portal, provider)


def session_of(browser: Browser) -> Headers:
    return {"authorization": f"Bearer {browser.portal.cookies[SESSION_COOKIE]}"}


async def test_from_the_button_to_a_session(api: httpx.AsyncClient, browser: Browser) -> None:
    assert (await api.get("/v1/sign-in")).json() == {"local": False, "oidc": True}
    asked = await browser.log_in()
    assert asked.params["code_challenge_method"] == "S256"
    assert len(asked.params["code_challenge"]) == 43
    assert asked.params["nonce"]
    back = await browser.consent(asked, sub="ada")
    assert await browser.come_back(back) == "/usage"
    me = (await api.get("/v1/me", headers=session_of(browser))).json()
    assert (me["name"], me["email"], me["role"]) == ("Ada", "ada@mail.example", "owner")
    assert me["is_operator"] is False
    plan = await api.get("/v1/subscription", headers=session_of(browser))
    assert plan.json()["plan"]["definition"]["id"] == "free"
    (entry, *_) = (await api.get("/v1/audit", headers=session_of(browser))).json()["items"]
    assert (entry["action"], entry["actor"]) == ("session.create", me["user_id"])
    assert (entry["detail"], entry["address"]) == ({"way": "oidc"}, "127.0.0.1")

    again = await browser.consent(await browser.log_in(), sub="ada")
    await browser.come_back(again)
    same = (await api.get("/v1/me", headers=session_of(browser))).json()
    assert (same["user_id"], same["tenant"]["id"]) == (me["user_id"], me["tenant"]["id"])
    await browser.come_back(await browser.consent(await browser.log_in(), sub="eve"))
    other = (await api.get("/v1/me", headers=session_of(browser))).json()
    assert other["user_id"] != me["user_id"]
    assert other["tenant"]["id"] != me["tenant"]["id"]


async def test_a_callback_works_once_and_in_its_own_browser(browser: Browser) -> None:
    back = await browser.consent(await browser.log_in(), sub="ada")
    elsewhere = back.copy_set_param("state", "another")
    assert await browser.come_back(elsewhere) == "/sign-in?problem=round_trip_expired"
    assert await browser.come_back(back) in {"/usage", "/"}
    assert await browser.come_back(back) == "/sign-in?problem=round_trip_expired"


async def test_a_refusal_at_the_provider_begins_no_session(browser: Browser) -> None:
    asked = await browser.log_in()
    code = await browser.consent(asked, sub="ada")
    broken = code.copy_set_param("code", "another")
    assert await browser.come_back(broken) == "/sign-in?problem=provider_refused"
    assert SESSION_COOKIE not in browser.portal.cookies


async def test_the_api_takes_a_token_for_its_own_sign_in_alone(
    api: httpx.AsyncClient, browser: Browser, issuer: str, operator: Headers
) -> None:
    """A token that the provider made, for another nonce or another client."""
    for client, nonce, status in (
        (CLIENT, "of this", 201),
        (CLIENT, "of another", 401),
        ("another", "of this", 401),
    ):
        asked = {
            "client_id": client,
            "response_type": "code",
            "redirect_uri": f"{PORTAL}/auth/callback",
            "scope": "openid",
            "nonce": nonce,
        }
        back = await browser.consent(httpx.URL(f"{issuer}/oauth2/authorize", params=asked), sub="a")
        tokens = await browser.provider.post(
            f"{issuer}/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "code": back.params["code"],
                "redirect_uri": asked["redirect_uri"],
                "client_id": client,
                "client_secret": "a secret",
            },
        )
        sent = {"id_token": tokens.json()["id_token"], "nonce": "of this"}
        answer = await api.post("/v1/sessions", json=sent)
        assert answer.status_code == status, answer.text
        # Three sessions were made of one token
        again = await api.post("/v1/sessions", json=sent)
        assert (again.status_code, again.json()["code"]) == (401, "invalid_identity_token")
        assert (await api.post("/v1/sessions", json={**sent, "nonce": ""})).status_code == 422


async def test_there_is_no_local_sign_in_beside_a_provider(api: httpx.AsyncClient) -> None:
    refused = await api.post("/v1/sessions/local", json={"secret": "a secret of this machine"})
    assert refused.status_code == 403
