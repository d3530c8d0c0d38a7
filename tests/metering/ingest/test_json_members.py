"""A batch is cut at its commas, so that what is broken in one member breaks no other."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import MalformedRequest, TooLarge
from backend.metering.ingest.json_members import TooManyMembers, members_of
from backend.metering.ingest.parsing import MAX_BATCH, read_json, read_lines
from backend.metering.ingest.plain_events import SentEvent
from backend.metering.refusals.refusal import Refusal
from tests.support.tenants import SampleTenant

pytestmark = pytest.mark.fast

TENANT = SampleTenant("ten_a", "a", "app_a", {})
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a"\\,[]{}\u00e9 \n', max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(st.lists(values), st.sampled_from([None, 1]), st.booleans())
def test_members_are_what_json_says(wanted: list[Any], indent: int | None, escape: bool) -> None:
    body = json.dumps(wanted, indent=indent, ensure_ascii=escape).encode()
    assert [json.loads(member) for member in members_of(body, most=1_000)] == wanted


@given(st.binary(max_size=60), st.integers(0, 20))
def test_whatever_comes_is_cut_or_refused(rest: bytes, most: int) -> None:
    try:
        members = members_of(b"[" + rest, most=most)
    except ValueError:
        return
    assert len(members) <= most
    assert all(member.strip() for member in members)


@pytest.mark.parametrize(
    "body",
    [
        b"[",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[,1]",
        b"[1}",
        b"[1] 2",
        b"[[1]",
        b'["1]',
        b'["\\"]',
        b"[1]]",
        b"[" * 9,
    ],
)
def test_what_is_no_array(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"within|empty|follows"):
        members_of(body, most=10)


def test_only_so_many_members_are_cut() -> None:
    assert len(members_of(b"[1,2,3]", most=3)) == 3
    with pytest.raises(TooManyMembers):
        members_of(b"[1,2,3,4]", most=3)


def a_good_one(event_id: str) -> bytes:
    return json.dumps(TENANT.event(event_id, time="2026-03-01T00:00:00Z")).encode()


@pytest.mark.parametrize(
    "broken",
    [
        a_good_one("x").replace(b'"requests": 1', b'"requests": NaN'),
        a_good_one("x").replace(b'"requests": 1', b'"requests": -Infinity'),
        a_good_one("x").replace(b'"requests": 1', b'"requests": 01'),
        a_good_one("x").replace(b'"model-a"', b'"\\ud83d"'),  # half an emoji, cut by its sender
        a_good_one("x").replace(b'"model-a"', b'"\xe9"'),  # in Latin-1
        a_good_one("x").replace(b'"model-a"', b'"a\x00b"'),
        a_good_one("x").replace(b'"model-a"', b'"a\\u0000b"'),
        a_good_one("x").replace(b'{"requests": 1}', b"[" * 50_000 + b"]" * 50_000),
        b"{not json}",
        b"undefined",
    ],
    ids=["NaN", "infinite", "octal", "half", "Latin-1", "zero", "NUL", "deep", "words", "word"],
)
def test_a_broken_member_breaks_no_other(broken: bytes) -> None:
    first, second, third = read_json(b"[%b,%b, %b]" % (a_good_one("1"), broken, a_good_one("2")))
    assert isinstance(first, SentEvent)
    assert isinstance(second, Refusal)
    assert isinstance(third, SentEvent)
    assert (first.id, third.id) == ("1", "2")
    assert read_lines(b"\n".join([a_good_one("1"), broken])) == [first, second]


def test_a_byte_order_mark_is_passed_over() -> None:
    [expected] = read_json(a_good_one("1"))
    mark = b"\xef\xbb\xbf"
    assert read_json(mark + a_good_one("1")) == [expected]
    assert read_json(mark + b"[" + a_good_one("1") + b"]") == [expected]
    assert read_lines(mark + a_good_one("1")) == [expected]


def test_of_two_members_with_one_name_the_last_counts_however_it_is_read() -> None:
    twice = a_good_one("1").replace(b'"requests": 1', b'"requests": 1, "requests": 5')
    odd = twice.replace(b'"model-a"', b'"a\\u200bb"')  # not plain: read by the contract
    for member in (twice, odd):
        for read in (read_json(member), read_json(b"[%b,{}]" % member), read_lines(member)):
            assert isinstance(read[0], SentEvent)
            assert read[0].data.quantities == {"requests": 5}


def test_a_refusal_does_not_send_back_all_that_was_sent() -> None:
    long = "x" * 1_000_000
    [refusal] = read_json(json.dumps(TENANT.event(long)).encode())
    assert isinstance(refusal, Refusal)
    assert len(refusal.event_id or "") == 200
    [refusal] = read_json(json.dumps(TENANT.event("1", **{long: {}})).encode())
    assert isinstance(refusal, Refusal)
    assert len(refusal.field or "") == 200


MANY = 2_000_000
BOMBS = {
    "numbers": b"[" + b"0," * MANY + b"0]",
    "decimals": b"[" + b"0.5," * MANY + b"0]",
    "objects": b"[" + b"{}," * MANY + b"{}]",
    "names": b"[" + b'"a",' * MANY + b"0]",
    "brackets": b"[" * MANY,
    "pairs": b'[{"a":[' + b"[]," * MANY + b"0]}]",
    "quotes": b"[" + b'"' * MANY,
    "escapes": b'["' + b'\\"' * MANY,
    "lines": b"0\n" * MANY,
    "empty lines": b"\n" * MANY,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_many_small_members_take_little_memory(name: str) -> None:
    body = BOMBS[name]
    read = read_json if body.startswith(b"[") else read_lines
    tracemalloc.start()
    try:
        members = read(body)
    except (TooLarge, MalformedRequest):
        members = []
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert len(members) <= MAX_BATCH
    assert peak < 2 * len(body) + 1_000_000
