"""The documentation over HTTP, for strangers: what they may read, and what they can't reach."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from portal.documentation.guides import guides
from portal.documentation.routes import NO_MODEL, Documentation, font_faces
from portal.server.build import static_directory
from portal.settings import PortalSettings
from tests.support.ports import free_port

pytestmark = pytest.mark.fast

SHOWN = "https://api.example.com"
OWN = {"sec-fetch-site": "same-origin"}


def client(*, public_docs: bool = True) -> TestClient:
    """The documentation of an installation whose API is away."""
    settings = PortalSettings(
        api_url=f"http://127.0.0.1:{free_port()}", public_api_url=SHOWN, public_docs=public_docs
    )
    app = Starlette(routes=[*Documentation(settings).routes])
    return TestClient(app, follow_redirects=False)


def test_anybody_reads_guides_with_the_address_that_customers_call() -> None:
    reading = client()
    assert reading.get("/docs").headers["location"] == "/docs/quick-start"
    page = reading.get("/docs/quick-start")
    assert page.status_code == 200
    assert f"{SHOWN}/v1/chat/completions" in page.text
    assert NO_MODEL in page.text
    assert "{{" not in page.text
    markdown = reading.get("/docs/quick-start.md")
    assert markdown.headers["content-type"].startswith("text/markdown")
    assert markdown.text.startswith("# Quick start")
    assert reading.get("/docs/none").status_code == 404
    assert reading.get("/docs/none.md").status_code == 404


def test_a_language_model_finds_every_guide() -> None:
    reading = client()
    listed = reading.get("/llms.txt").text
    assert listed.startswith("# ")
    for guide in guides():
        assert f"/docs/{guide.slug}.md" in listed
        assert reading.get(f"/docs/{guide.slug}.md").status_code == 200


def test_without_the_api_guides_are_read_and_searched_and_the_reference_says_so() -> None:
    reading = client()
    entries = reading.get("/docs/search.json").json()
    assert {"Rotate a key", "Send events"} <= {entry["title"] for entry in entries}
    assert reading.get("/reference").status_code == 200
    assert reading.get("/reference/openapi.json").status_code == 502


def test_where_the_seller_wants_it_only_who_is_signed_in_reads() -> None:
    reading = client(public_docs=False)
    for path in ("/docs/quick-start", "/docs/quick-start.md", "/llms.txt", "/reference"):
        answer = reading.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in?next=%2F")


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        (f"{SHOWN}/v1/models", {}, 403),
        (f"{SHOWN}/v1/models", {"sec-fetch-site": "cross-site"}, 403),
        (f"{SHOWN}/v1/models", {"origin": "https://elsewhere.example"}, 403),
        (f"{SHOWN}/v1/models", OWN, 401),
        (f"{SHOWN}/metrics", OWN, 422),
        (f"{SHOWN}/v1/../metrics", OWN, 422),
        (f"{SHOWN}/v1/%2e%2E/metrics", OWN, 422),
        ("https://elsewhere.example/v1/models", OWN, 422),
        (f"{SHOWN}@elsewhere.example/v1/models", OWN, 422),
        ("http://[::1", OWN, 422),
        ("", OWN, 422),
    ],
)
def test_calls_go_to_the_api_alone_from_own_pages_alone_with_a_session_alone(
    target: str, headers: dict[str, str], status: int
) -> None:
    answer = client().get("/docs/call", params={"scalar_url": target}, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_scalar_comes_from_here() -> None:
    script = client().get("/reference/scalar.js")
    assert script.status_code == 200
    assert script.headers["content-type"].startswith("text/javascript")
    assert b"createApiReference" in script.content


def test_fonts_are_those_of_the_built_pages() -> None:
    assert font_faces(static_directory() / "nowhere") == ""
