"""What browsers ask and are answered when a page of another origin calls models (CORS)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from backend.gateway.protocols.routes import ROUTES
from backend.settings import Settings

pytestmark = pytest.mark.engine

Headers = dict[str, str]
CHAT = "/v1/chat/completions"
PAGE = "https://app.example.com"
ASKED = {"model": "sample-small", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    return api_settings.model_copy(
        update={"web_origins": ["https://house.example"], "max_body_bytes": 5_000}
    )


async def make(api: httpx.AsyncClient, session: Headers, **wanted: Any) -> Headers:
    """Make a key; returns its headers."""
    application = (await api.get("/v1/applications", headers=session)).json()["items"][0]["id"]
    body = {"name": "k", "application_id": application, **wanted}
    answer = await api.post("/v1/keys", headers=session, json=body)
    assert answer.status_code == 201, answer.text
    return {"authorization": f"Bearer {answer.json()['secret']}"}


def preflight(method: str = "POST", page: str = PAGE) -> Headers:
    """What a browser asks before a call with a key."""
    return {
        "origin": page,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type,x-stainless-lang",
    }


async def test_every_preflight_of_a_models_route_is_answered_alike(
    api: httpx.AsyncClient, session: Headers
) -> None:
    await make(api, session, origins=[PAGE])
    answers = [
        await api.options(path, headers=preflight(method, page))
        for route in {*ROUTES["openai"], *ROUTES["anthropic"], "POST /v1/threads"}
        for method, _, path in [route.partition(" ")]
        for page in (PAGE, "https://house.example", "https://elsewhere.example", "null")
    ]
    (answer, *others) = [
        {name: text for name, text in each.headers.items() if name != "x-request-id"}
        for each in answers
    ]
    assert {each.status_code for each in answers} == {204}
    assert all(other == answer for other in others)
    assert answer["access-control-allow-origin"] == "*"
    assert answer["access-control-allow-headers"] == "Authorization, *"
    assert "access-control-allow-credentials" not in answer


async def test_no_other_route_answers_one(api: httpx.AsyncClient, session: Headers) -> None:
    for path in ("/v1/keys", "/v1/usage", "/v1/events", "/v1/sessions", "/healthz", "/metrics"):
        answer = await api.options(path, headers=preflight())
        assert answer.status_code == 405
        assert not any(name.startswith("access-control") for name in answer.headers)
        asked = await api.get(path, headers={**session, "origin": PAGE})
        assert not any(name.startswith("access-control") for name in asked.headers)


async def test_what_is_no_preflight_is_refused_as_before(api: httpx.AsyncClient) -> None:
    for headers in ({}, {"origin": PAGE}, {"access-control-request-method": "POST"}):
        answer = await api.options(CHAT, headers=headers)
        assert answer.status_code == 405, headers


async def test_a_page_reads_every_refusal_and_programs_answers_stay_as_they_are(
    api: httpx.AsyncClient, session: Headers
) -> None:
    key = await make(api, session, origins=[PAGE])
    asks: list[tuple[str, str, Headers, bytes, int]] = [
        ("POST", CHAT, {}, b"{}", 401),
        ("POST", CHAT, {"authorization": "Bearer fb_live_nobody"}, b"{}", 401),
        ("POST", CHAT, key, b"{", 400),
        ("POST", CHAT, key, b"x" * 5_001, 413),
        ("GET", CHAT, key, b"", 405),
        ("POST", "/v1/threads", key, b"{}", 404),
        ("POST", "/v1/messages", key, b"{}", 400),
        ("GET", "/v1/models", key, b"", 200),
    ]
    for method, path, headers, body, status in asks:
        answer = await api.request(method, path, headers=headers, content=body)
        read = await api.request(method, path, headers={**headers, "origin": PAGE}, content=body)
        assert (answer.status_code, read.status_code) == (status, status), (path, read.text)
        assert not any(name.startswith("access-control") for name in answer.headers)
        assert read.headers["access-control-allow-origin"] == "*"
        assert read.headers["access-control-expose-headers"] == "*"
        assert read.headers["x-request-id"]


async def test_a_call_that_fails_here_can_be_read_too(
    app: FastAPI, session: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(app.state.services.authenticator, "authenticate", broken)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://farebox")
    with capture_logs() as logs:  # drawn with all its variables, a traceback takes seconds
        for path in (CHAT, "/v1/models"):
            method = "POST" if path == CHAT else "GET"
            answer = await client.request(method, path, headers={**session, "origin": PAGE})
            assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["x-request-id"].startswith("req_")
    await client.aclose()
    assert [line["event"] for line in logs].count("request.failed") == 2


async def test_a_key_is_taken_from_its_own_pages_or_the_installations(
    api: httpx.AsyncClient, session: Headers
) -> None:
    own = await make(api, session, origins=[PAGE], scopes=["inference", "usage:read"])
    plain = await make(api, session, scopes=["inference", "usage:read"])

    async def status(key: Headers, page: str | None, path: str = "/v1/models") -> int:
        headers = key if page is None else {**key, "origin": page}
        return (await api.get(path, headers=headers)).status_code

    for path in ("/v1/models", "/v1/usage"):
        assert [await status(own, page, path) for page in (PAGE, None)] == [200, 200]
        assert await status(own, "https://house.example", path) == 403
        assert [await status(plain, p, path) for p in ("https://house.example", None)] == [200, 200]
        assert [await status(plain, page, path) for page in (PAGE, "null", "")] == [403] * 3
    assert await status(session, "https://elsewhere.example") == 200  # a person's, no key's


@pytest.mark.parametrize(
    ("path", "kind"),
    [(CHAT, "permission_error"), ("/v1/messages", "permission_error"), ("/v1/usage", None)],
)
async def test_the_refusal_has_the_routes_shape(
    api: httpx.AsyncClient, session: Headers, path: str, kind: str | None
) -> None:
    key = await make(api, session, origins=[PAGE], scopes=["inference", "usage:read"])
    method = "GET" if kind is None else "POST"
    answer = await api.request(
        method, path, headers={**key, "origin": "https://elsewhere.example"}, json=ASKED
    )
    document = answer.json()
    assert answer.status_code == 403
    assert "https://elsewhere.example" in answer.text
    if kind is None:
        assert document["code"] == "origin_not_allowed"
    else:
        assert document["error"]["type"] == kind
