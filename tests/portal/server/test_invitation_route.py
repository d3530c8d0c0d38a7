"""What is kept of an invitation for the sign-in that follows."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from portal.server.sign_in_routes import ROUND_TRIP_COOKIE, AuthRoutes
from portal.settings import PortalSettings

pytestmark = pytest.mark.fast

PORTAL = "http://127.0.0.1:3000"


@pytest.mark.parametrize(
    ("secret", "location", "kept"),
    [
        ("fbi_a", "/sign-in/", True),
        # It would make every sign-in of the next minutes fail
        ("", "/sign-in?problem=invitation_not_found", False),
    ],
)
def test_an_invitation_without_a_secret_is_not_kept(secret: str, location: str, kept: bool) -> None:
    app = Starlette(routes=[AuthRoutes(PortalSettings()).mount()])
    browser = TestClient(app, base_url=PORTAL, follow_redirects=False)
    answer = browser.post(
        "/auth/invitation", data={"invitation": secret}, headers={"origin": PORTAL}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, location)
    assert (ROUND_TRIP_COOKIE in browser.cookies) is kept
    assert not secret or secret not in answer.headers["location"]


def test_over_https_it_is_kept_in_a_cookie_of_this_host_alone() -> None:
    """Any other host of the domain could have set one without the prefix."""
    settings = PortalSettings(public_url="https://portal.example.com")
    app = Starlette(routes=[AuthRoutes(settings).mount()])
    origin = settings.origins[0]
    browser = TestClient(app, base_url=origin, follow_redirects=False)
    answer = browser.post(
        "/auth/invitation", data={"invitation": "fbi_a"}, headers={"origin": origin}
    )
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"__host-{ROUND_TRIP_COOKIE}=")
    assert "path=/;" in cookie
    assert "secure" in cookie
    assert "domain" not in cookie
