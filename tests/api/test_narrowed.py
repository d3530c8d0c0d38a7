"""Routers that are asked only for paths that may be theirs answer as they did before."""

from __future__ import annotations

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import Match
from starlette.types import Scope

from backend.api.narrowed import include_narrowed

pytestmark = pytest.mark.fast


def router_of(*paths: str, answer: str = "") -> APIRouter:
    router = APIRouter()
    for path in paths:

        @router.get(path)
        def said(path: str = path) -> str:
            return answer or path

    return router


def api_of(*routers: APIRouter, root_path: str = "") -> httpx.AsyncClient:
    whole = APIRouter()
    for router in routers:
        include_narrowed(whole, router)
    transport = httpx.ASGITransport(FastAPI(routes=whole.routes), root_path=root_path)
    return httpx.AsyncClient(transport=transport, base_url="http://api")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/healthz", 200),
        ("/v1/keys", 200),
        ("/v1/keys/key_1", 200),
        ("/v1/keys/", 307),
        ("/v1/keys/a/b", 404),
        ("/v1/keyring", 404),
        ("/v1/usage/export", 200),
        ("/v1", 404),
        ("/", 404),
        ("//v1/keys", 404),
        ("/v1//keys", 404),
    ],
)
async def test_a_path_is_answered_by_the_router_that_has_it(path: str, status: int) -> None:
    keys = router_of("/healthz", "/v1/keys", "/v1/keys/{key_id}")
    async with api_of(keys, router_of("/v1/usage", "/v1/usage/export")) as api:
        assert (await api.get(path)).status_code == status


async def test_another_method_is_refused_and_the_first_of_two_routers_answers() -> None:
    first, second = [router_of("/v1/keys", answer=answer) for answer in ("first", "second")]
    async with api_of(first, second) as api:
        assert (await api.get("/v1/keys")).json() == "first"
        assert (await api.post("/v1/keys")).status_code == 405


async def test_behind_a_path_of_a_proxy_routes_are_where_the_framework_has_them() -> None:
    async with api_of(router_of("/v1/keys"), root_path="/billing") as api:
        assert (await api.get("/billing/v1/keys")).status_code == 200
        assert (await api.get("/v1/keys")).status_code == 200


def test_a_router_that_begins_with_a_parameter_can_not_be_narrowed() -> None:
    with pytest.raises(ValueError, match="begins with a parameter"):
        include_narrowed(APIRouter(), router_of("/v1/{anything}"))


async def test_a_router_is_asked_for_no_path_that_can_not_be_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys, usage = router_of("/v1/keys/{key_id}"), router_of("/v1/usage")
    asked: list[str] = []
    matches = keys.matches

    def noted(scope: Scope) -> tuple[Match, Scope]:
        asked.append(scope["path"])
        return matches(scope)

    monkeypatch.setattr(keys, "matches", noted)
    async with api_of(keys, usage) as api:
        for path in ("/v1/usage", "/healthz", "/v1/keys/key_1"):
            await api.get(path)
    assert set(asked) == {"/v1/keys/key_1"}
