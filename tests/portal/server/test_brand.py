"""The brand as browsers get it: its name, color, logo and links, and the settings behind it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.testclient import TestClient

from portal.server.brand import brand_routes, style_sheet
from portal.settings import PortalSettings

pytestmark = pytest.mark.fast


def served(**settings: object) -> TestClient:
    return TestClient(Starlette(routes=brand_routes(PortalSettings.model_validate(settings))))


def test_a_seller_ships_the_portal_under_its_own_name(tmp_path: Path) -> None:
    logo = tmp_path / "acme.svg"
    logo.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    client = served(
        brand_name="Example AI",
        brand_color="#0f766e",
        brand_logo=logo,
        terms_url="https://ai.example/terms",
        support_url="mailto:help@ai.example",
    )
    sheet = client.get("/brand.css")
    assert sheet.headers["content-type"].startswith("text/css")
    assert '--brand-name: "Example AI"' in sheet.text
    assert "--indigo-9: #0f766e" in sheet.text
    assert "Farebox" not in sheet.text
    assert client.get("/brand/logo").headers["content-type"] == "image/svg+xml"
    assert client.get("/brand/links.json").json() == [
        {"name": "Terms", "href": "https://ai.example/terms"},
        {"name": "Support", "href": "mailto:help@ai.example"},
    ]


def test_without_settings_it_is_fareboxs_own() -> None:
    assert style_sheet("Farebox", None) == ':root { --brand-name: "Farebox"; }\n'
    assert served().get("/brand/links.json").json() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"brand_name": 'Quote"; } body { display: none'},
        {"brand_name": ""},
        {"brand_color": "teal"},
        {"brand_logo": "/nowhere/logo.svg"},
        {"brand_logo": __file__},
        {"support_url": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_a_brand_that_can_not_be_shown_is_refused_at_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        PortalSettings.model_validate(wrong)
