"""Signing in at an identity provider, in a browser: what it may do is the CSP's to say."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from oidc_provider_mock import User, run_server_in_thread
from playwright.async_api import Browser, Page, expect

from tests.journey.conftest import Farebox, browsing, installation
from tests.journey.steps import create_key, visit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::authlib.deprecate.AuthlibDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning"),
]

PEOPLE = [
    User(sub="ada", claims={"name": "Ada", "email": "ada@mail.example"}),
    User(sub="ben", claims={"name": "Ben", "email": "ben@mail.example"}),
]


@pytest.fixture(scope="module")
async def selling() -> AsyncIterator[Farebox]:
    """An installation where people sign in at a provider."""
    with run_server_in_thread(require_nonce=True, user_claims=PEOPLE) as server:
        async with installation(
            FAREBOX_OIDC_ISSUER=f"http://localhost:{server.server_port}",
            FAREBOX_OIDC_CLIENT_ID="farebox",
            FAREBOX_OIDC_CLIENT_SECRET="a secret of the client",
            FAREBOX_SIGN_UP="open",
        ) as running:
            yield running


@pytest.fixture
async def fresh(selling: Farebox, chromium: Browser) -> AsyncIterator[Page]:
    """A page of a browser that nobody signed in with."""
    complaints: list[str] = []
    async with browsing(chromium, selling, complaints) as context:
        yield await context.new_page()
    assert complaints == []


async def sign_in_as(page: Page, person: str) -> None:
    await page.get_by_role("link", name="Continue with single sign-on").click()
    await page.get_by_role("button", name=person, exact=True).first.click()


async def test_people_sign_in_at_the_provider_and_see_their_own(
    fresh: Page, chromium: Browser, selling: Farebox
) -> None:
    await fresh.goto("/keys/")
    await expect(fresh.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(fresh.get_by_role("button", name="Continue on this machine")).to_be_hidden()
    await sign_in_as(fresh, "ada")
    await expect(fresh.get_by_role("heading", name="API keys", level=1)).to_be_visible()
    await expect(fresh.get_by_text("ada@mail.example")).to_be_visible()
    secret = await create_key(fresh, "of Ada")

    complaints: list[str] = []
    async with browsing(chromium, selling, complaints) as context:
        other = await context.new_page()
        await other.goto("/sign-in/")
        await sign_in_as(other, "ben")
        await expect(other.get_by_role("heading", name="Overview", level=1)).to_be_visible()
        await visit(other, "API keys")
        await expect(other.get_by_text("No keys yet")).to_be_visible()
        assert secret[-4:] not in await other.content()
    assert complaints == []


async def test_a_customer_is_no_operator(fresh: Page) -> None:
    await fresh.goto("/sign-in/")
    await sign_in_as(fresh, "ben")
    await expect(fresh.get_by_text("Tokens today")).to_be_visible()
    await expect(fresh.get_by_role("link", name="Operations")).to_be_hidden()
    await fresh.goto("/operations/")
    await expect(fresh.get_by_role("alert")).to_contain_text("Only the operator of this API")


async def test_who_is_refused_by_the_provider_is_told_so(fresh: Page) -> None:
    await fresh.goto("/sign-in/")
    await fresh.get_by_role("link", name="Continue with single sign-on").click()
    await fresh.get_by_role("button", name="Deny").click()
    await expect(fresh.get_by_role("alert")).to_contain_text("did not sign you in")
    # The round trip's answer can't be used again
    await fresh.goto("/auth/callback?state=made-up&code=made-up")
    await expect(fresh.get_by_role("alert")).to_contain_text("Signing in took too long")
