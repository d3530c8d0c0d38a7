"""What callers say of a call becomes labels of its event, except what only the seller may say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.gateway.errors import InvalidRequest
from backend.gateway.tags import HEADER, MOST_TAGS, RESERVED, tags_of

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("document", "header", "tags"),
    [
        ({}, "", {}),
        ({"user": "u1"}, "", {"user": "u1"}),
        ({"metadata": {"user_id": "u1"}}, "", {"user": "u1"}),
        ({"metadata": {"team": "search", "n": 5}}, "", {"team": "search"}),
        ({}, "team=search, feature = chat ,", {"team": "search", "feature": "chat"}),
        ({"metadata": {"team": "ads"}}, "team=search", {"team": "search"}),
        ({"user": 5, "metadata": ["x"]}, "", {}),
        ({"user": "", "metadata": {"": "x", "a\n": "x", "b": "x" * 201, "c": "\x00"}}, "", {}),
        ({"metadata": {"status": "completed", "region": "eu", "team": "x"}}, "", {"team": "x"}),
    ],
)
def test_tags_come_from_the_body_and_the_header(
    document: dict[str, Any], header: str, tags: dict[str, str]
) -> None:
    assert tags_of(document, {HEADER: header} if header else {}, priced={"region"}) == tags


@pytest.mark.parametrize(
    "header",
    [
        *("team", "=x", "team=", "status=completed", "region=eu", "a=" + "x" * 201),
        ",".join(f"t{number}=x" for number in range(MOST_TAGS + 1)),
    ],
)
def test_a_header_that_says_what_it_may_not_is_refused(header: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        tags_of({}, {HEADER: header}, priced={"region"})
    assert raised.value.errors[0].field == HEADER


@given(st.dictionaries(st.text(), st.text() | st.integers()), st.sets(st.text()))
def test_no_tag_is_one_that_the_plan_prices_by(metadata: dict[str, Any], priced: set[str]) -> None:
    tags = tags_of({"metadata": metadata}, {}, priced=priced)
    assert not tags.keys() & (priced | RESERVED)
    assert len(tags) <= MOST_TAGS
