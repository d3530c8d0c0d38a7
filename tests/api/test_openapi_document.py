"""The OpenAPI document as developers read it."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi._compat import v2
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from backend.api.document_models import FASTAPIS_OWN, models_within
from backend.api.export_schema import PROVIDER_EXPORT
from backend.api.openapi import TAGS
from backend_client.types.invoices import Invoice, LineEvents
from backend_client.types.plans import Plan
from tests.metering.reconciliation.exports import (
    anthropic_report,
    openai_costs,
    openai_usage,
)

pytestmark = pytest.mark.fast


def test_every_operation_has_a_name_and_is_in_a_described_group(engineless: FastAPI) -> None:
    document = engineless.openapi()
    operations = [each for item in document["paths"].values() for each in item.values()]
    assert {each["tags"][0] for each in operations} == set(TAGS)
    assert [tag["name"] for tag in document["tags"]] == list(TAGS)
    summaries = [each["summary"] for each in operations]
    assert all(summaries)
    # A sentence of its description, and not what FastAPI makes of the function's name
    assert not [each for each in summaries if each.startswith(("Get ", "Post ")) and each.istitle()]
    assert not [each for each in summaries if each.endswith(".")]
    assert not [each for each in summaries if "`" in each]


def test_every_json_body_has_a_schema(engineless: FastAPI) -> None:
    """An empty one lets everything through, and a reader learns nothing of it."""
    bodies = {
        f"{method.upper()} {path}": content["schema"]
        for path, item in engineless.openapi()["paths"].items()
        for method, operation in item.items()
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
        if "json" in kind
    }
    assert len(bodies) > 50
    assert not [operation for operation, schema in bodies.items() if not schema]


@pytest.mark.parametrize("model", [Invoice, LineEvents, Plan])
def test_models_are_those_that_fastapi_would_look_for(
    model: type[BaseModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = models_within(model, set())
    assert ours
    monkeypatch.setattr(v2, "get_flat_models_from_model", FASTAPIS_OWN)
    # It begins with a set of its own where it is given an empty one, and so is told of the model
    assert ours | {model} == FASTAPIS_OWN(model, {model})


OPENROUTER = {
    "date": "2026-03-02",
    "model": "meta/llama",
    "model_permaslug": "meta/llama-1",
    "usage": 0.015,
    "requests": 5,
}


@pytest.mark.parametrize(
    "export",
    [
        openai_usage({}),
        [openai_usage({}, has_more=True), openai_costs({})],
        anthropic_report({}),
        {"data": [OPENROUTER]},
    ],
)
def test_a_providers_export_is_described_as_it_is_read(export: Any) -> None:
    described = Draft202012Validator(PROVIDER_EXPORT)
    assert [error.message for error in described.iter_errors(export)] == []
    assert not described.is_valid({"pages": export})
    assert not described.is_valid([])
