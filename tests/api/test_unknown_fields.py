"""A body's field that a route does not know is refused, on every route and at every depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from tests.api.isolation import operations

pytestmark = pytest.mark.fast

# A chat's request can be sent there unchanged, so what is not counted is left aside
TAKES_ANY = {"TokenCountRequest"}
PASSED_ON = {
    "ChatRequest",
    "CompletionRequest",
    "EmbeddingRequest",
    "ImageEditRequest",
    "ImageRequest",
    "MessageCountRequest",
    "MessageRequest",
    "ModerationRequest",
    "RerankRequest",
    "ResponseRequest",
    "SpeechRequest",
    "TranscriptionRequest",
    "TranslationRequest",
}
"""What the provider takes, it is sent, as far as the upstream's rules let it pass."""
OF_OTHERS = {"SecretMatch"}
"""Scanners may come to say more than is read of it."""

OF_PROVIDERS = {
    "A page of the provider's API",
    "Anthropic: a day of usage or costs",
    "OpenAI: a day of usage or costs",
    "OpenRouter: a day of a model",
}
"""Their exports are imported as they wrote them, and say more than is read of them."""


def open_objects(schema: Any, named: dict[str, Any], seen: set[str]) -> Iterator[str]:
    """The objects with fields of their own that take others too."""
    if isinstance(schema, list):
        for member in schema:
            yield from open_objects(member, named, seen)
    elif isinstance(schema, dict):
        name = schema.get("$ref", "").rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            yield from open_objects(named[name], named, seen)
        if "properties" in schema and schema.get("additionalProperties") is not False:
            yield schema.get("title", str(schema))
        for member in schema.values():
            yield from open_objects(member, named, seen)


def test_no_body_takes_a_field_that_it_does_not_know(engineless: FastAPI) -> None:
    named = engineless.openapi()["components"]["schemas"]
    seen: set[str] = set()
    for operation in operations(engineless):
        for content in operation.described.get("requestBody", {}).get("content", {}).values():
            opened = set(open_objects(content.get("schema", {}), named, seen))
            assert opened <= TAKES_ANY | PASSED_ON | OF_OTHERS | OF_PROVIDERS, operation
    assert len(seen) > 20
    assert seen >= TAKES_ANY
