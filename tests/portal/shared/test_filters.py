"""Filters in an address: whole there, and nothing of it that they don't know."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.features.audit.question import AuditQuestion
from portal.features.events.question import EventQuestion
from portal.features.requests.question import ALLOWED, RequestQuestion
from portal.shared.filters.question import LONGEST, SPANS, address_query, question_of

pytestmark = pytest.mark.fast

KINDS: tuple[tuple[Any, Any], ...] = (
    (EventQuestion, {"span": SPANS}),
    (RequestQuestion, ALLOWED),
    (AuditQuestion, {}),
)
VALUES = st.one_of(st.text(max_size=2 * LONGEST), st.sampled_from([*SPANS, "failed", "a=b"]))


@given(data=st.data())
def test_a_question_is_the_same_from_its_address(data: st.DataObject) -> None:
    kind, allowed = data.draw(st.sampled_from(KINDS))
    names = st.sampled_from([*kind.__dataclass_fields__, "unheard"])
    question = question_of(kind, data.draw(st.dictionaries(names, VALUES)), **allowed)
    query = address_query(question)
    assert question_of(kind, query, **allowed) == question
    assert all(0 < len(value) <= LONGEST for value in query.values())
    assert not question.is_filtered or query


def test_what_is_cut_is_the_same_from_its_address() -> None:
    long = {"source": " " + "s" * (LONGEST - 1) + " and more"}
    question = question_of(EventQuestion, long, span=SPANS)
    assert question_of(EventQuestion, address_query(question), span=SPANS) == question


def test_what_lets_all_through_is_not_in_the_address() -> None:
    for kind, allowed in KINDS:
        assert address_query(kind()) == {}
        assert question_of(kind, {"span": "for ever", "unheard": "1"}, **allowed) == kind()
    strange = question_of(RequestQuestion, {"outcome": "<b>", "model": " m "}, **ALLOWED)
    assert strange == RequestQuestion(model="m")


def test_two_times_hold_with_their_span_alone() -> None:
    times = {"since": "2026-07-01T00:00", "until": "2026-07-02T00:00"}
    between = question_of(EventQuestion, {"span": "between", **times}, span=SPANS)
    assert address_query(between) == {"span": "between", **times}
    week = {**vars(between), "span": "week"}
    assert question_of(EventQuestion, week, span=SPANS) == EventQuestion(span="week")
