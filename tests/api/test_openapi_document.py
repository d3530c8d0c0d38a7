"""The OpenAPI document as developers read it."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from backend.api.openapi import TAGS

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
