"""A query parameter that a route does not know is refused by its name, on every route."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from backend.gateway.protocols.routes import shape_of
from tests.api.isolation import Operation, operations

pytestmark = pytest.mark.fast

# Of another name than any parameter, and near to none
UNKNOWN = "zzz"


@pytest.fixture
async def client(engineless: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(engineless, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


def strict(operation: Operation) -> bool:
    return "/v1/" in operation.path and not shape_of(operation.path)


async def test_every_route_refuses_an_unknown_parameter(
    engineless: FastAPI, client: httpx.AsyncClient
) -> None:
    walked = 0
    for operation in filter(strict, operations(engineless)):
        answer = await client.request(operation.method, operation.path, params={UNKNOWN: "1"})
        problem = answer.json()
        outcome = (answer.status_code, problem.get("code"))
        assert outcome == (422, "unknown_query_parameter"), (operation, problem)
        assert [error["field"] for error in problem["errors"]] == [UNKNOWN]
        walked += 1
    assert walked > 100


async def test_no_route_refuses_what_the_document_names(
    engineless: FastAPI, client: httpx.AsyncClient
) -> None:
    for operation in filter(strict, operations(engineless)):
        names = sorted(operation.parameters("query"))
        repeated = [(name, "1") for name in names for _ in range(2)]
        answer = await client.request(
            operation.method, operation.path, params=[*repeated, (UNKNOWN, "1")]
        )
        assert [error["field"] for error in answer.json()["errors"]] == [UNKNOWN], operation
        for name in names:
            assert name in answer.json()["detail"], operation


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("strat=1", "There is no query parameter 'strat' here; 'start' may be meant."),
        ("labels=team=x", "There is no query parameter 'labels' here; 'label' may be meant."),
        ("Start=1", "There is no query parameter 'Start' here; 'start' may be meant."),
    ],
)
async def test_a_misspelt_name_is_answered_with_the_one_that_may_be_meant(
    client: httpx.AsyncClient, query: str, detail: str
) -> None:
    answer = await client.get(f"/v1/usage?{query}")
    assert answer.json()["detail"] == detail


async def test_each_of_several_names_is_told(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/me?a=1&b=2&a=3")
    assert [error["field"] for error in answer.json()["errors"]] == ["a", "b"]
    assert answer.json()["detail"] == (
        "There is no query parameter 'a' here: this route takes none. "
        "There is no query parameter 'b' here: this route takes none."
    )


async def test_probes_may_be_asked_with_any_parameter(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz?probe=1")).status_code == 200
