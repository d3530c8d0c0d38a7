"""Whatever a file holds, it is read or it is refused by line and field; never anything else."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports import mapped_csv
from backend.metering.reconciliation.exports.formats import read_export
from backend.metering.reconciliation.exports.parsing import Export
from backend.metering.reconciliation.meters import CREDITS
from backend_client.types.reconciliation import ExportFormat, ReconciliationOptions
from tests.metering.reconciliation.exports import (
    ANTHROPIC_COST,
    ANTHROPIC_USAGE,
    OPENAI_COSTS_CSV,
    OPENAI_USAGE_CSV,
    anthropic_report,
    openai_costs,
    openai_usage,
)
from tests.metering.reconciliation.test_formats import LONG, WIDE
from tests.metering.reconciliation.test_readers import SAMPLES
from tests.support.examples import examples

pytestmark = pytest.mark.fast

DOCUMENTS = {
    "openai-usage-json": openai_usage({}, {"model": "o3"}),
    "openai-costs-json": openai_costs({}, {"line_item": None}),
    "anthropic-usage-json": anthropic_report(ANTHROPIC_USAGE),
    "anthropic-cost-json": anthropic_report(ANTHROPIC_COST),
}
FILES: list[tuple[bytes, dict[str, Any]]] = [
    *((json.dumps(document).encode(), {}) for document in DOCUMENTS.values()),
    (OPENAI_USAGE_CSV.encode(), {}),
    (OPENAI_COSTS_CSV.encode(), {}),
    (b"Date,Model,In,Out,Team\n2025-10-05,m,1.5,2,red\n", {"mapping": WIDE}),
    (b"at;model;kind;n;cost\n2025-10-05;m;prompt;7;0.25\n", {"mapping": LONG}),
    *((file.read_bytes(), {}) for file in sorted(SAMPLES.glob("*.csv"))),
]


def read_or_refuse(content: bytes, options: dict[str, Any]) -> Export | None:
    wanted = ReconciliationOptions(provider="test", **options)
    try:
        chosen, export = read_export(io.BytesIO(content), wanted)
        covered = export.covered
    except UnreadableExport as error:
        refused = error
    else:
        assert covered[0] <= covered[1]
        for (_, _, meter), sums in export.sums.items():
            for value in (sums.quantity, sums.amount):
                assert value is None or value.is_finite()
            assert sums.quantity is None or sums.quantity >= 0 or chosen is ExportFormat.FOCUS_CSV
            # What is below zero stands by itself
            assert sums.amount is None or (sums.amount < 0) == (meter == CREDITS) or not sums.amount
        return export
    assert refused.errors[0].field.encode()
    assert refused.errors[0].detail.encode()
    return None


@given(st.sampled_from(FILES), st.data())
def test_a_truncated_file(file: tuple[bytes, dict[str, Any]], data: st.DataObject) -> None:
    content, options = file
    whole = read_or_refuse(content, options)
    assert whole is not None
    cut = read_or_refuse(content[: data.draw(st.integers(0, len(content) - 2))], options)
    # A file of lines may end at one; a document may not, and is never taken for less.
    assert cut is None or not content.startswith(b"{")


@given(
    st.sampled_from(FILES),
    st.integers(0, 10_000),
    st.binary(min_size=1, max_size=4)
    | st.sampled_from([b"NaN", b"-1", b"1e999999999", b"1e-999999999", b'"', b"\0"]),
    st.booleans(),
)
def test_a_damaged_file(
    file: tuple[bytes, dict[str, Any]], place: int, damage: bytes, insert: bool
) -> None:
    content, options = file
    at = place % len(content)
    read_or_refuse(content[:at] + damage + content[at + (not insert) * len(damage) :], options)


rows = st.tuples(st.integers(1, 28), st.sampled_from(["m", "n"]), st.decimals(0, 10**12, places=3))


@given(st.lists(rows, min_size=1, max_size=12), st.randoms())
def test_the_order_of_lines_does_not_matter(
    lines: list[tuple[int, str, Any]], order: random.Random
) -> None:
    written = [f"2025-10-{day:02},{model},{amount},,x" for day, model, amount in lines]
    shuffled = order.sample(written, len(written))
    export, other = (
        read_or_refuse("\n".join(["Date,Model,In,Out,Team", *each]).encode(), {"mapping": WIDE})
        for each in (written, shuffled)
    )
    assert export is not None
    assert other is not None
    assert export.sums == other.sums
    assert export.covered == other.covered


@given(
    st.sampled_from(FILES), st.sampled_from(["utf-16", "utf-32", "cp1252", "cp037", "utf-8-sig"])
)
def test_another_encoding(file: tuple[bytes, dict[str, Any]], encoding: str) -> None:
    content, options = file
    again = read_or_refuse(content.decode().encode(encoding, errors="replace"), options)
    # What is not ASCII's superset is refused; the rest is the same file.
    assert (again is None) == (encoding not in ("cp1252", "utf-8-sig"))


odd: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.sampled_from(["", "NaN", "-0", "1e9999", "٣", "0x10", "1,000", "∞", " 5 ", "5 tokens"]),
    st.sampled_from(["1e999999999", "1e-999999999", "0e999999999", "\ud800", "a\0b", "9" * 5_000]),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2025-02-30"]),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    steps = (
        node if isinstance(node, dict) else dict(enumerate(node if isinstance(node, list) else ()))
    )
    for step, part in steps.items():
        yield from places(part, (*path, step))


@settings(max_examples=examples(300))
@given(st.sampled_from(sorted(DOCUMENTS)), st.data(), odd)
def test_an_odd_value_anywhere(name: str, data: st.DataObject, value: Any) -> None:
    document = json.loads(json.dumps(DOCUMENTS[name]))
    path = data.draw(st.sampled_from(list(places(document))))
    if path:
        at = document
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
    else:
        document = value
    read_or_refuse(json.dumps(document).encode(), {"format": name})


class Endless(io.RawIOBase):
    """A file of a gigabyte that is one line, or as many rows, made as it is read."""

    def __init__(self, head: bytes, body: bytes, size: int) -> None:
        self._head = head
        self._body = body
        self._at = 0
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        part = self._head or self._body[self._at : self._at + min(len(into), self.left)]
        if self._head:
            self._head = b""
        else:
            self._at, self.left = (self._at + len(part)) % len(self._body), self.left - len(part)
        into[: len(part)] = part
        return len(part)


def read_mapped(file: Endless) -> int:
    """Read a file by the wide mapping; return the most bytes that were held at a time."""
    mapping = ReconciliationOptions.model_validate({"provider": "test", "mapping": WIDE}).mapping
    assert mapping is not None
    tracemalloc.start()
    try:
        mapped_csv.read_mapped(Export(ZoneInfo("UTC")), io.BufferedReader(file), mapping)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


def test_a_line_of_two_gigabytes_is_refused_before_it_is_held() -> None:
    file = Endless(b"Date,Model,In,Out,Team\n", b"x" * 65_536, 2 * 1024**3)
    with pytest.raises(UnreadableExport, match="line 2: is longer than"):
        read_mapped(file)
    assert file.left > 2**30


def test_a_row_of_endless_lines_is_refused_before_it_is_held() -> None:
    file = Endless(b"Date,Model,In,Out,Team\n", b'"\n",' * 10_000, 2**30)
    with pytest.raises(UnreadableExport, match="continues a row longer than 65,536 bytes"):
        read_mapped(file)
    assert file.left > 2**29


@pytest.mark.slow
def test_a_long_file_takes_no_more_memory_than_a_short_one() -> None:
    row = b"2025-10-05,m,1.5,2,red\n"
    sizes = [len(row) * 1_000, len(row) * 20_000]
    files = [Endless(b"Date,Model,In,Out,Team\n", row * 2_800, size) for size in sizes]
    short, long = (read_mapped(file) for file in files)
    assert [file.left for file in files] == [0, 0]
    assert short < 2_000_000
    assert long < short + (sizes[1] - sizes[0]) / 10
