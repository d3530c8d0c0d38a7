"""The client has a method for every route of the API, and an argument for all that it reads."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from fastapi import FastAPI

from tests.support.client_calls import methods, route

pytestmark = pytest.mark.fast

OF_OTHERS = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("POST", "/api/v1/events"),  # for OpenMeter's client
    ("POST", "/v1/secret-scanning"),  # for GitHub
    ("GET", "/v1/models"),  # for OpenAI's
    ("GET", "/v1/models/{}"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/audio/speech"),
    ("POST", "/v1/audio/transcriptions"),
    ("POST", "/v1/audio/translations"),
    ("POST", "/v1/images/edits"),
    ("POST", "/v1/images/generations"),
    ("POST", "/v1/moderations"),
    ("POST", "/v1/rerank"),
    ("POST", "/v1/responses"),
    ("POST", "/v1/messages"),  # for Anthropic's
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/v1/platforms/{}/webhook"),  # for the platform
}
"""Routes for other clients than ours."""
WITHOUT_ARGUMENT = {
    ("GET", "/v1/margin"): {"format"},  # as CSV, for the browser
}


@pytest.fixture(scope="module")
def operations(engineless: FastAPI) -> dict[tuple[str, str], set[str]]:
    """The API's routes with the names of their query parameters."""
    document: dict[str, Any] = engineless.openapi()
    return {
        (method.upper(), anonymous(path)): {
            parameter["name"]
            for parameter in operation.get("parameters", [])
            if parameter["in"] == "query"
        }
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def anonymous(path: str) -> str:
    """A path whose ids have no name, which client and API give them differently."""
    return re.sub(r"{\w+}", "{}", path)


def test_every_route_has_a_method(operations: dict[tuple[str, str], set[str]]) -> None:
    called = {(verb, anonymous(path)) for method in methods() for verb, path in method.routes}
    assert called == operations.keys() - OF_OTHERS


def test_every_query_parameter_is_an_argument(
    operations: dict[tuple[str, str], set[str]],
) -> None:
    sent: dict[tuple[str, str], set[str]] = {}
    for method in methods():
        for tenant in (False, True) if "tenant" in method.parameters else (False,):
            request = method.sent(whole=True, tenant=tenant)
            verb, path = route(request)
            sent.setdefault((verb, anonymous(path)), set()).update(request.url.params.keys())
    for place, names in operations.items():
        if place not in OF_OTHERS:
            assert sent[place] == names - WITHOUT_ARGUMENT.get(place, set()), place


@pytest.mark.parametrize("text", ["../tenants", "..", "a/b?c#d", "%2e%2e", "é"])
def test_an_id_stays_one_segment_of_every_path(text: str) -> None:
    for method in methods():
        ids = {name for _, path in method.routes for name in re.findall(r"{(\w+)}", path)}
        for name in ids & method.parameters.keys():
            for tenant in (False, True) if "tenant" in method.parameters else (False,):
                plain = segments(method.sent(tenant=tenant))
                hostile = segments(method.sent(tenant=tenant, given={name: text}))
                assert hostile == [part.replace(f"{{{name}}}", text) for part in plain], method


def segments(request: httpx.Request) -> list[str]:
    path = request.url.raw_path.decode().partition("?")[0]
    assert "/../" not in f"{path}/"
    return [unquote(segment) for segment in path.split("/")]
