"""Models' calls are served without the framework's machinery, and as it would serve them."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from backend.api.quick_calls import QuickCalls

pytestmark = pytest.mark.engine

PATH = "/v1/chat/completions"


@pytest.mark.fast
def test_every_call_of_a_model_is_served_so(engineless: FastAPI) -> None:
    (layer,) = [layer for layer in engineless.user_middleware if layer.cls is QuickCalls]
    quick = QuickCalls(engineless, **layer.kwargs)
    assert PATH in quick.paths
    assert "/v1/events" not in quick.paths


async def test_it_refuses_as_the_framework_does(
    api: httpx.AsyncClient, session: dict[str, str], operator: dict[str, str]
) -> None:
    stranger = await api.post(PATH, json={})
    assert (stranger.status_code, stranger.json()["error"]["code"]) == (401, "invalid_api_key")
    bad = await api.post(PATH, headers=session, content=b"{")
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "invalid_request")
    assert bad.headers["x-request-id"]
    foreign = await api.post(PATH, headers=operator, json={"model": "m", "messages": [{}]})
    assert foreign.status_code == 403
    nameless = await api.post(f"{PATH}?x=1", headers=session, json={})
    assert (nameless.status_code, nameless.json()["error"]["param"]) == (400, "model")
    assert (await api.get(PATH, headers=session)).status_code == 405


async def test_its_calls_have_their_routes_name_in_the_metrics(
    api: httpx.AsyncClient, session: dict[str, str], operator: dict[str, str]
) -> None:
    await api.post(PATH, headers=session, content=b"{")
    metrics = (await api.get("/metrics", headers=operator)).text
    counted = 'farebox_http_requests_total{method="POST",route="/v1/chat/completions",status="400"}'
    assert f"{counted} 1.0" in metrics
