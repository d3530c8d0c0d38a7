"""docs/fields.md tells every field as the types do, and its examples are taken."""

from __future__ import annotations

import json

import pytest
from fastapi import FastAPI

from backend_client.types.common import Wire
from tests.docs.fields import EXAMPLES, PAGE, documented, fields_page

pytestmark = pytest.mark.fast


def test_the_page_is_the_types(engineless: FastAPI) -> None:
    """If this fails, run ``python -m tests.docs.fields`` and read what it changed."""
    assert PAGE.read_text() == fields_page(engineless)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_taken_and_says_nothing_beside(name: str) -> None:
    kind = documented()[name]
    read = kind.model_validate_json(json.dumps(EXAMPLES[name]))
    written = read.model_dump(mode="json", exclude_unset=True)
    assert written == EXAMPLES[name]


def test_every_field_of_the_catalog_is_told() -> None:
    page = PAGE.read_text()
    for kind in documented().values():
        assert issubclass(kind, Wire)
        section = page.partition(f"\n### {kind.__name__}\n")[2].partition("\n### ")[0]
        for field in kind.model_fields:
            assert f"| `{field}` |" in section, (kind.__name__, field)
