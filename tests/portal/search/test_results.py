"""What the palette finds: each word somewhere, a few of each kind, no secret."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backend_client.types.accounts import ApiKey, Scope
from backend_client.types.models import ModelInfo
from portal.search.results import MOST, DocEntry, doc_results, key_results, matches, model_results

pytestmark = pytest.mark.fast


def entry(title: str, text: str = "") -> DocEntry:
    return DocEntry(title=title, of="Guide", at=f"/docs/{title}", text=text)


def test_each_word_has_to_be_somewhere_in_either_case() -> None:
    assert matches("rot KEY", "Rotate a key")
    assert matches("key rot", "Rotate", "a key")
    assert not matches("rotate invoice", "Rotate a key")


def test_documentation_with_it_in_the_title_comes_first_and_no_more_than_a_few() -> None:
    entries = [
        entry("limits", "about keys"),
        entry("keys"),
        *(entry(f"k{n}", "keys") for n in range(9)),
    ]
    results = doc_results("keys", entries)
    assert [result.title for result in results[:2]] == ["keys", "limits"]
    assert len(results) == MOST
    assert all(result.outside for result in results)


def test_a_key_is_shown_by_its_last_four_letters_alone() -> None:
    key = ApiKey(
        id="key_1",
        name="Production",
        application_id="app_1",
        prefix="fb_live_",
        last_four="abcd",
        scopes=[Scope.INFERENCE],
        models=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        created_by=None,
        expires_at=None,
        revoked_at=None,
        last_used_at=None,
    )
    (result,) = key_results([key])
    assert (result.title, result.detail, result.href) == (
        "Production",
        "…abcd",
        "/keys?search=key_1",
    )


def test_a_model_is_found_by_its_name_or_id() -> None:
    model = ModelInfo(
        id="small/v2",
        name="Small",
        context_window=1,
        max_output_tokens=1,
        tokenizer="upstream",
        available=True,
    )
    assert model_results("V2", [model])[0].href.endswith("/model/?model=small%2Fv2")
    assert model_results("large", [model]) == []
