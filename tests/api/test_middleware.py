"""What surrounds every request: ids, limits, logs, counters, and whether it can be served."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from backend.api.app import create_app
from backend.engines.nats import start_nats
from backend.engines.postgres import start_postgres
from backend.logs import configure_logs
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.migrate import migrate
from tests.support.killing import kill
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.engine

Headers = dict[str, str]


@pytest.mark.parametrize("given", ["req-1", "A.b:c_d-9", "x" * 128])
async def test_a_request_id_that_is_sane_is_the_answers_too(
    api: httpx.AsyncClient, given: str
) -> None:
    answer = await api.get("/v1/me", headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == given
    assert answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "a\tb", "é", "<b>", 'a"b', "{}"])
async def test_any_other_is_replaced(api: httpx.AsyncClient, given: str) -> None:
    headers = {b"x-request-id": given.encode()}
    answer = await api.get("/v1/me", headers=headers)
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_an_answer_is_neither_stored_nor_sniffed(api: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/v1/me", "/v1/models", "/nothing"):
        answer = await api.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    """Settings with a limit that a test can pass."""
    return api_settings.model_copy(update={"max_body_bytes": 50_000})


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/sessions/local", "/v1/chat/completions"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_refused_whether_its_length_is_declared_or_not(
    api: httpx.AsyncClient, session: Headers, path: str, chunked: bool
) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b"x" * 10_000

    body = pieces() if chunked else b"x" * 50_001
    headers = {**session, "content-type": "application/json"}
    answer = await api.post(path, content=body, headers=headers)
    assert answer.status_code == 413, answer.text
    document = answer.json()
    assert (document.get("error") or document)["code"] == "body_too_large"
    if chunked:
        assert sent <= 7  # it stops reading there


async def test_a_line_for_each_request_and_no_secret_in_any(
    capfd: pytest.CaptureFixture[str],
    api_settings: Settings,
    api: httpx.AsyncClient,
    session: Headers,
) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logs(api_settings.model_copy(update={"log_format": "json", "log_level": "DEBUG"}))
    try:
        application = (await api.get("/v1/applications", headers=session)).json()["items"][0]["id"]
        wanted = {"name": "one", "application_id": application}
        key = (await api.post("/v1/keys", headers=session, json=wanted)).json()["secret"]
        bearer = {"authorization": f"Bearer {key}"}
        asked = {"model": "sample-small", "messages": [{"role": "user", "content": "A secret"}]}
        await api.post("/v1/chat/completions", headers=bearer, json=asked)
        await api.post("/v1/sessions/local", json={"secret": "not the machine's secret"})
        await api.get(f"/v1/usage?key={key}", headers=bearer)
        await api.get("/v1/me", headers={"authorization": "Bearer fb_live_wrongwrongwrong"})
    finally:
        root.handlers = handlers
        root.setLevel(level)
    logged = capfd.readouterr().err
    secrets = [
        key,
        session["authorization"].removeprefix("Bearer "),
        "wrongwrongwrong",
        "not the machine's secret",
        "A secret",
    ]
    assert [secret for secret in secrets if secret in logged] == []
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(request["method"], request["route"], request["status"]) for request in requests] == [
        ("GET", "/v1/applications", 200),
        ("POST", "/v1/keys", 201),
        ("POST", "/v1/chat/completions", 404),
        ("POST", "/v1/sessions/local", 401),
        ("GET", "/v1/usage", 403),
        ("GET", "/v1/me", 401),
    ]
    for line in requests:
        assert line["request_id"].startswith("req_")
        assert line["milliseconds"] >= 0
        assert line["timestamp"].endswith("Z")


async def test_metrics_are_for_prometheus_and_the_operator(
    app: FastAPI,
    api_settings: Settings,
    api: httpx.AsyncClient,
    session: Headers,
    operator: Headers,
) -> None:
    """They told anybody which models there are, and how much they are used."""
    assert (await api.get("/metrics")).status_code == 401
    assert (await api.get("/metrics", headers=operator)).status_code == 200
    assert (await api.get("/metrics", headers=session)).status_code == 200  # an operator's
    with_token = api_settings.model_copy(update={"metrics_token": SecretStr("scrape")})
    app.state.services = dataclasses.replace(app.state.services, settings=with_token)
    scrape = {"authorization": "Bearer scrape"}
    assert (await api.get("/metrics", headers=scrape)).status_code == 200
    for wrong in ("Bearer scrap", "Bearer fb_live_none", "Basic scrape"):
        refused = await api.get("/metrics", headers={"authorization": wrong})
        assert refused.status_code == 401
    # Only there
    assert (await api.get("/v1/me", headers=scrape)).status_code == 401


async def test_browsers_that_come_by_https_are_told_to_stay_with_it(app: FastAPI) -> None:
    for scheme in ("http", "https"):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://api") as client:
            answer = await client.get("/healthz")
        assert ("strict-transport-security" in answer.headers) is (scheme == "https")


async def test_metrics_count_by_route_and_not_by_path(
    api: httpx.AsyncClient, session: Headers, operator: Headers
) -> None:
    for name in ("one", "two"):
        await api.delete(f"/v1/keys/{name}", headers=session)
        await api.get(f"/unknown/{name}")
    answer = await api.get("/metrics", headers=operator)
    assert answer.headers["content-type"].startswith("text/plain")
    counted = [line for line in answer.text.splitlines() if line.startswith("farebox_http_")]
    by_route = 'farebox_http_requests_total{method="DELETE",route="/v1/keys/{key_id}",status="404"}'
    unmatched = 'farebox_http_requests_total{method="GET",route="unmatched",status="404"}'
    assert f"{by_route} 2.0" in counted
    assert f"{unmatched} 2.0" in counted
    assert not [line for line in counted if "one" in line or "two" in line]


async def test_readyz_tells_which_engine_is_away_and_that_it_is_back(
    engines_home: Path, tmp_path: Path
) -> None:
    port = free_port()
    postgres = start_postgres(engines_home / "killed")
    nats = start_nats(tmp_path / "n", port=port)
    database = Database(postgres.url, pool_size=1)
    await migrate(database.engine)
    await database.close()
    settings = Settings(
        database_url=postgres.url, nats_url=nats.url, home=tmp_path, stream_max_bytes=64 * 1024**2
    )
    app: FastAPI = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as api,
    ):

        async def checks(postgresql: bool, nats: bool) -> bool:
            answer = await api.get("/readyz")
            ready = postgresql and nats
            expected = {"postgresql": postgresql, "nats": nats}
            return answer.json()["checks"] == expected and answer.status_code == (
                200 if ready else 503
            )

        await until(lambda: checks(True, True))
        kill(nats)
        await until(lambda: checks(True, False))
        kill(postgres)
        await until(lambda: checks(False, False))
        assert (await api.get("/healthz")).status_code == 200
        refused = await api.get("/v1/me", headers={"authorization": "Bearer fb_live_one"})
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        assert refused.headers["retry-after"] == "1"
        postgres = start_postgres(engines_home / "killed")
        nats = start_nats(tmp_path / "n", port=port)
        await until(lambda: checks(True, True))
    postgres.stop()
    nats.stop()
