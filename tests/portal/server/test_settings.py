"""Addresses, origins and paths that the portal trusts."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from starlette.applications import Starlette

from portal.routes import safe_path
from portal.server.same_origin import use_page_origin
from portal.server.security import SecurityHeaders, content_security_policy
from portal.server.sign_in_routes import AuthRoutes
from portal.settings import PortalSettings

pytestmark = pytest.mark.fast


def test_on_a_laptop_only_this_machines_names_are_origins() -> None:
    settings = PortalSettings(portal_port=3100)
    assert settings.origins == ("http://localhost:3100", "http://127.0.0.1:3100")
    assert not settings.secure


def test_behind_a_proxy_its_origin_alone() -> None:
    settings = PortalSettings(portal_host="::", public_url="https://portal.example.com/")
    assert settings.origins == ("https://portal.example.com",)
    assert settings.secure


def test_cookies_over_https_are_of_this_host_alone() -> None:
    assert PortalSettings().session_cookie == "farebox_session"
    settings = PortalSettings(public_url="https://portal.example.com")
    assert settings.session_cookie == "__Host-farebox_session"


@pytest.mark.parametrize("public_url", [None, "https://portal.example.com"])
async def test_https_is_kept_to(public_url: str | None) -> None:
    settings = PortalSettings(public_url=public_url)
    app = SecurityHeaders(
        Starlette(routes=[AuthRoutes(settings).mount()]), "", https=settings.secure
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=settings.origins[0]
    ) as browser:
        answer = await browser.post("/auth/logout", headers={"origin": settings.origins[0]})
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"{settings.session_cookie.lower()}=")
    assert ("secure" in cookie) is settings.secure
    assert "path=/;" in cookie
    assert "domain" not in cookie
    assert ("strict-transport-security" in answer.headers) is settings.secure


def test_listening_everywhere_needs_a_public_address() -> None:
    with pytest.raises(ValidationError, match="FAREBOX_PUBLIC_URL"):
        PortalSettings(portal_host="::")


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(ValidationError, match="http://"):
        PortalSettings(api_url="localhost:8080")


@pytest.mark.parametrize("path", ["/", "/usage", "/usage?range=day", "/keys#top"])
def test_own_paths_are_safe_to_go_on_to(path: str) -> None:
    assert safe_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "usage",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/\tevil",
        "/a\\b",
        "/\n/evil.example",
    ],
)
def test_anything_else_leads_to_the_start_page(path: str | None) -> None:
    assert safe_path(path) == "/"


def test_built_scripts_take_their_own_pages_origin(tmp_path: Path) -> None:
    script = tmp_path / "env.js"
    script.write_text(
        "var e={PING:`http://same-origin.invalid/ping`,EVENT:`ws://same-origin.invalid/_event`};"
    )
    assert use_page_origin(script)
    assert script.read_text() == (
        'var e={PING:location.origin+`/ping`,EVENT:location.origin.replace("http","ws")+`/_event`};'
    )
    other = tmp_path / "other.js"
    other.write_text("var a=1;")
    assert not use_page_origin(other)


def test_the_policy_allows_the_pages_own_inline_scripts_and_no_eval(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<script src="/a.js"></script><script>let a = 1;</script><script type="module">b</script>'
    )
    policy = content_security_policy(tmp_path)
    script_src = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert script_src.count("sha256-") == 2
    assert "unsafe" not in script_src
    assert "frame-ancestors 'none'" in policy
