"""docs/client-methods.md lists every method of the client, with its routes and types."""

from __future__ import annotations

import re

import pytest

from backend.api.app import create_app
from backend.settings import Settings
from tests.docs.client_methods import PAGE, methods_page
from tests.support.client_calls import methods

pytestmark = pytest.mark.fast


def test_the_page_is_the_clients() -> None:
    """If this fails, run ``python -m tests.docs.client_methods`` and read what it changed."""
    assert PAGE.read_text() == methods_page()


def test_every_method_says_what_it_does() -> None:
    sections = re.split(r"^### ", methods_page(), flags=re.MULTILINE)[1:]
    assert len(sections) == len(methods()) > 100
    for section in sections:
        assert re.search(r"^`[A-Z]+ /v1/.*`\n\n\w", section, re.MULTILINE), section


WITHOUT_METHOD = {
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /v1/models",  # OpenAI's, for OpenAI's client; prices are at /v1/catalog
    "GET /v1/models/{}",
    "POST /api/v1/events",  # OpenMeter's, for OpenMeter's clients
}


def test_every_route_has_a_method() -> None:
    app = create_app(Settings(database_url="postgresql://localhost/none", nats_url="nats://none"))
    routes = {
        f"{method.upper()} {path}"
        for path, item in app.openapi()["paths"].items()
        for method in item
    }
    listed = re.findall(r"`([A-Z]+ /\S+)`", methods_page())
    assert {_unnamed(route) for route in routes} - WITHOUT_METHOD == set(map(_unnamed, listed))


def _unnamed(route: str) -> str:
    """The route whatever its parameters are called, which client and router choose apart."""
    return re.sub(r"{[^}]*}", "{}", route)
