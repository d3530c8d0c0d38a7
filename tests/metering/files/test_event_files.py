"""Files of events: what is in them comes out exactly, and what is wrong is told with its line."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.metering.errors import UnreadableEventFile
from backend.metering.files.event_files import EventFile, format_of
from backend.metering.files.flat_rows import Defaults, FileRow
from backend.metering.files.place import Place
from backend.metering.files.text_rows import MAX_LINE_BYTES
from backend_client.types.events import UsageEvent

pytestmark = pytest.mark.fast

NONE = Defaults()
HEADER = (
    "id,time,source,subject,application,model,key,upstream,label.team,input_tokens,audio_seconds"
)
ROW = "1,2026-03-01T00:00:00Z,app,acme,app_1,large,key_1,azure,search,1200,0.1"
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "time": "2026-03-01T00:00:00Z",
    "source": "app",
    "subject": "acme",
    "type": "ai.usage",
    "data": {
        "application": "app_1",
        "model": "large",
        "key": "key_1",
        "upstream": "azure",
        "labels": {"team": "search"},
        "quantities": {"input_tokens": 1200, "audio_seconds": 0.1},
    },
}


def read(path: Path, content: bytes | str, defaults: Defaults = NONE) -> list[FileRow]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(EventFile(path, defaults).rows())


def events(rows: Iterable[FileRow]) -> list[UsageEvent]:
    return [row.event for row in rows if row.event is not None]


def test_the_same_event_in_each_format(tmp_path: Path) -> None:
    expected = UsageEvent.model_validate(EVENT | {"data": {**EVENT["data"]}})
    expected = expected.model_copy(
        update={
            "data": expected.data.model_copy(
                update={
                    "quantities": {"input_tokens": Decimal(1200), "audio_seconds": Decimal("0.1")}
                }
            )
        }
    )
    csv = f"{HEADER}\n{ROW}\n"
    line = json.dumps(EVENT)
    table = pyarrow.Table.from_pylist(
        [
            {
                "id": 1,
                "time": datetime(2026, 3, 1, tzinfo=UTC),
                "source": "app",
                "subject": "acme",
                "application": "app_1",
                "model": "large",
                "key": "key_1",
                "upstream": "azure",
                "label.team": "search",
                "input_tokens": 1200,
                "audio_seconds": 0.1,
            }
        ]
    )
    pyarrow.parquet.write_table(table, tmp_path / "e.parquet")
    for rows in (
        read(tmp_path / "e.csv", csv),
        read(tmp_path / "e.csv", b"\xef\xbb\xbf" + csv.encode()),
        read(tmp_path / "e.CSV.gz", gzip.compress(csv.encode())),
        read(tmp_path / "e.ndjson", line),
        read(tmp_path / "e.jsonl", f"\n{line}\n\n"),
        read(tmp_path / "e.ndjson.gz", gzip.compress(line.encode())),
        list(EventFile(tmp_path / "e.parquet", Defaults()).rows()),
    ):
        assert events(rows) == [expected]
        assert str(events(rows)[0].data.quantities["audio_seconds"]) == "0.1"


def test_what_a_row_leaves_out_comes_from_the_command_line(tmp_path: Path) -> None:
    defaults = Defaults(source="billing-db", subject="acme", application="app_9")
    csv = "id,time,model,source,requests\na,2026-03-01T00:00:00Z,large,,1\n"
    [event] = events(read(tmp_path / "e.csv", csv, defaults))
    assert (event.source, event.subject, event.data.application) == ("billing-db", "acme", "app_9")
    line = '{"id": "a", "data": {"model": "large", "quantities": {"requests": 1}}}'
    [event] = events(read(tmp_path / "e.ndjson", line, defaults))
    assert (event.source, event.subject, event.data.application) == ("billing-db", "acme", "app_9")


@pytest.mark.parametrize(
    ("change", "field", "detail"),
    [
        ({"input_tokens": "NaN"}, "data.quantities.input_tokens", "finite number"),
        ({"input_tokens": "Infinity"}, "data.quantities.input_tokens", "finite number"),
        ({"input_tokens": "-1"}, "data.quantities.input_tokens", "less than 0"),
        ({"input_tokens": "9" * 40}, "data.quantities.input_tokens", "more than 30 digits"),
        ({"input_tokens": "1e999999999"}, "data.quantities.input_tokens", "more than 30 digits"),
        ({"input_tokens": "1e-999999999"}, "data.quantities.input_tokens", "more than 30 digits"),
        ({"input_tokens": "1,200"}, "data.quantities.input_tokens", "not a number"),
        ({"input_tokens": "12 tokens"}, "data.quantities.input_tokens", "not a number"),
        ({"time": "2026-03-01 00:00"}, "time", "no offset from utc"),
        ({"time": "yesterday"}, "time", "no time with an offset"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "time", "in the years 1900"),
        ({"time": "9999-12-31T23:59:59-14:00"}, "time", "in the years 1900"),
        ({"id": "a\x00b"}, "id", "control character"),
        ({"id": "x" * 201}, "id", "more than 200 characters"),
        ({"id": ""}, "id", "required"),
        ({"model": ""}, "data.model", "required"),
        ({"input_tokens": "", "audio_seconds": ""}, "data.quantities", "is empty"),
    ],
)
def test_a_wrong_cell_is_told_by_line_and_field(
    tmp_path: Path, change: dict[str, str], field: str, detail: str
) -> None:
    cells = dict(zip(HEADER.split(","), ROW.split(","), strict=True)) | change
    wrong = ",".join(f'"{cell}"' for cell in cells.values())
    rows = read(tmp_path / "e.csv", f"{HEADER}\n{ROW}\n{wrong}\n{ROW}\n")
    assert len(events(rows)) == 2
    [refused] = [row for row in rows if row.event is None]
    assert (refused.line, refused.field) == (3, field)
    assert detail in refused.detail.lower()


def test_rows_of_another_width_and_lines_without_end(tmp_path: Path) -> None:
    rows = read(tmp_path / "e.csv", f"{HEADER}\n{ROW},extra\n{ROW}\n")
    assert [(row.line, row.detail) for row in rows if row.event is None] == [
        (2, "12 cells, where the first line has 11")
    ]
    line = json.dumps(EVENT).encode()
    long = b'{"id": "' + b"x" * (3 * MAX_LINE_BYTES) + b'"}'
    bad = [long, b"[]", b"{", b"\xff", b"[" * 100_000, line.replace(b"1200", b"NaN")]
    bad += [line.replace(b"1200", b"9" * 5_000), line.replace(b'"1"', b'"\\ud800"')]
    rows = read(tmp_path / "e.ndjson", b"\n".join([line, *bad, line]))
    assert [row.line for row in rows if row.event] == [1, 10]
    assert [row.detail.split(":")[0] for row in rows if not row.event] == [
        "the line is longer than 1,048,576 bytes",
        "not an event",
        *["not JSON"] * 6,
    ]


def peak_of(path: Path) -> tuple[list[FileRow], int]:
    """The rows that hold no event, and the most bytes that were held at a time, by Arrow too."""
    before = pyarrow.default_memory_pool().max_memory() or 0
    tracemalloc.start()
    try:
        refused = [row for row in EventFile(path, NONE).rows() if row.event is None]
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return refused, peak + (pyarrow.default_memory_pool().max_memory() or 0) - before


@pytest.mark.slow
def test_a_line_of_two_gigabytes_is_passed_over_and_never_held(tmp_path: Path) -> None:
    path = tmp_path / "e.ndjson"
    with path.open("wb") as file:
        file.write(json.dumps(EVENT).encode() + b"\n")
        file.seek(2 * 1024**3, 1)  # zeros, of which the disk has none
        file.write(b"\n" + json.dumps(EVENT).encode() + b"\n")
    [refused], peak = peak_of(path)
    assert (refused.line, refused.detail) == (2, "the line is longer than 1,048,576 bytes")
    assert peak < 20_000_000


def test_a_text_that_is_written_once_and_meant_often_is_held_once(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    once = pyarrow.array(["m" * 500_000])
    places = pyarrow.array([0] * 1_000, pyarrow.int32())
    columns = {
        "id": [str(number) for number in range(1_000)],
        "time": ["2026-03-01T00:00:00Z"] * 1_000,
        **{name: ["a"] * 1_000 for name in ("source", "application")},
        "requests": [1] * 1_000,
        "model": pyarrow.DictionaryArray.from_arrays(places, once),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    assert path.stat().st_size < 500_000
    refused, peak = peak_of(path)
    assert len(refused) == 1_000
    assert {(row.field, row.detail[:30]) for row in refused} == {
        ("data.model", "has more than 200 characters")
    }
    assert peak < 100_000_000


def test_cells_that_python_has_no_value_for_are_told_by_their_row(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    beyond = pyarrow.array([2**62, 1_772_323_200_000, None], pyarrow.timestamp("ms", "UTC"))
    columns = {name: ["a", "b", "c"] for name in ("id", "source", "application", "model")}
    used = pyarrow.array([1.5, float("nan"), float("inf")])
    table = pyarrow.table({**columns, "time": beyond, "requests": used})
    pyarrow.parquet.write_table(table, path)
    rows = list(EventFile(path, NONE).rows())
    assert [row.field for row in rows] == [
        "time",
        "data.quantities.requests",
        "data.quantities.requests",
    ]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("e.csv", "", "is empty"),
        ("e.csv", "id,model,source,requests\n", "no column 'application', or say --application"),
        ("e.csv", HEADER + ",id\n", "two columns 'id'"),
        ("e.csv", HEADER + ",Input Tokens\n", "'Input Tokens' is not the name of a column"),
        ("e.csv", f"{HEADER}\n{ROW}\n\xe9".encode("latin-1"), "line 3: not UTF-8"),
        ("e.csv", f'{HEADER}\n"1,2\n', "line 2: unexpected end of data"),
        ("e.csv", f"{HEADER}\n{'x' * (MAX_LINE_BYTES + 2)}\n", "line 2: the line is longer"),
        ("e.csv", HEADER + "\n" + '"\n",' * MAX_LINE_BYTES, "line 262146: the row is longer"),
        ("e.csv", f"{HEADER}\n{ROW}\n".encode("utf-16"), "line 1: not UTF-8"),
        ("e.csv.gz", gzip.compress(HEADER.encode(), mtime=0)[:-9], "is not a complete gzip file"),
        ("e.ndjson.gz", b"not gzip", "is not a complete gzip file"),
        ("e.parquet", b"PAR1 nothing of the kind PAR1", "can't be read as Parquet"),
        ("e.parquet", b"", "can't be read as Parquet"),
        ("e.xlsx", b"", "is not a file of events"),
        ("e.parquet.gz", b"", "is not a file of events"),
    ],
)
def test_a_file_that_can_not_be_read_is_told_in_a_sentence(
    tmp_path: Path, name: str, content: bytes | str, sentence: str
) -> None:
    with pytest.raises(UnreadableEventFile, match=sentence):
        read(tmp_path / name, content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("e.csv", "e.parquet"):
        with pytest.raises(UnreadableEventFile, match="No such file"):
            list(EventFile(tmp_path / name, Defaults()).rows())


def test_a_file_of_several_gzip_members_is_read_to_its_end(tmp_path: Path) -> None:
    first, second = f"{HEADER}\n{ROW}\n{ROW[:20]}", f"{ROW[20:]}\n{ROW}\n"
    packed = gzip.compress(first.encode()) + gzip.compress(second.encode()) + b"\0" * 512
    assert len(events(read(tmp_path / "e.csv.gz", packed))) == 3


def test_nanoseconds_of_parquet_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    last = int(datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * 10**9 + 999_999_600
    columns = {name: ["a"] for name in ("id", "source", "application", "model")}
    time = pyarrow.array([last], pyarrow.timestamp("ns", "UTC"))
    pyarrow.parquet.write_table(pyarrow.table({**columns, "time": time, "requests": [1]}), path)
    [event] = events(EventFile(path, NONE).rows())
    assert event.time == datetime(2026, 10, 31, 23, 59, 59, 999999, tzinfo=UTC)


def test_times_as_databases_write_them(tmp_path: Path) -> None:
    def row(time: str) -> str:
        return ROW.replace("2026-03-01T00:00:00Z", time)

    times = ["2026-03-01 00:00:00+00", "2026-03-01 02:00:00.5+02", "2026-03-01 00:00:00 UTC"]
    wrong = ["2026-03-01 00:00:00", "1772323200", "1772323200.5", "2026-03-01"]
    rows = read(tmp_path / "e.csv", "\n".join([HEADER, *map(row, times + wrong)]))
    first = datetime(2026, 3, 1, tzinfo=UTC)
    assert [event.time for event in events(rows)] == [
        first,
        first.replace(microsecond=500_000),
        first,
    ]
    assert [(refused.line, refused.field) for refused in rows[3:]] == [
        (line, "time") for line in range(5, 9)
    ]
    assert "no offset" in rows[3].detail


def quoted_csv() -> str:
    """Rows of which each second one spans three lines, one of them without an event."""
    rows = [ROW, ROW.replace("search", '"a ""b"", \r\nc"').replace("1,2026", '"1\n",2026')]
    return "\n".join([HEADER, *rows, "", *rows, ROW.replace("search", "grün"), "1,2"]) + "\n"


@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz", "e.ndjson", "e.ndjson.gz", "e.parquet"])
def test_reading_goes_on_at_any_place_it_was_left(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if "csv" in name:
        content = quoted_csv().encode()
    else:
        content = "\n".join([json.dumps(EVENT), "", "{", json.dumps(EVENT), "[]"]).encode()
    if name.endswith(".parquet"):
        rows = [
            {"id": str(n), **dict.fromkeys(("source", "application", "model"), "a")}
            for n in range(9)
        ]
        table = pyarrow.Table.from_pylist([{**row, "requests": 1} for row in rows])
        pyarrow.parquet.write_table(table, path, row_group_size=4)
    else:
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    file = EventFile(path, NONE)
    whole, places = [], [file.place]
    for row in file.rows():
        whole.append(row)
        places.append(file.place)
    assert len(whole) > 3
    for number, place in enumerate(places):
        assert list(EventFile(path, NONE).rows(place)) == whole[number:]
        by_line = Place(place.line)
        assert list(EventFile(path, NONE).rows(by_line)) == whole[number:]


def test_a_row_is_named_by_its_first_line_and_what_stops_reading_by_its_place(
    tmp_path: Path,
) -> None:
    wrong = ROW.replace("1200", "many").replace("search", '"a\nb\nc"')
    [_, refused] = read(tmp_path / "e.csv", f"{HEADER}\n{ROW}\n{wrong}\n")
    assert refused.line == 3
    path = tmp_path / "stopped.csv"
    path.write_bytes(f'{HEADER}\n{ROW}\n{ROW}\n"a\n'.encode() + b"\xff\n")
    file = EventFile(path, NONE)
    taken: list[FileRow] = []
    with pytest.raises(UnreadableEventFile, match="line 5: not UTF-8"):
        taken.extend(file.rows())  # what came before is in the list
    before = len(f"{HEADER}\n{ROW}\n{ROW}\n")
    assert (len(taken), file.place) == (2, Place(4, before))
    assert str(file.place) == f"line 4 (byte {before})"


def test_progress_is_told_in_bytes_and_ends_whole(tmp_path: Path) -> None:
    path = tmp_path / "e.ndjson"
    path.write_text(f"{json.dumps(EVENT)}\n" * 2_000)
    file = EventFile(path, Defaults())
    seen = [file.done for _ in file.rows()]
    assert 0 < seen[0] <= seen[-1] <= file.total == path.stat().st_size
    assert file.done == file.total


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    suffix=st.sampled_from([".csv", ".ndjson", ".csv.gz", ".ndjson.gz", ".parquet"]),
    start=st.sampled_from([b"", HEADER.encode() + b"\n", json.dumps(EVENT).encode()]),
    rest=st.binary(max_size=300),
    cut=st.integers(0, 400),
)
def test_nothing_in_a_file_breaks_the_reading(
    tmp_path: Path, suffix: str, start: bytes, rest: bytes, cut: int
) -> None:
    content = (start + rest)[:cut]
    if suffix.endswith(".gz") and cut % 2:
        content = gzip.compress(content)[:cut]
    rows: list[FileRow] = []
    with suppress(UnreadableEventFile):  # the one thing that may be raised
        rows = read(tmp_path / f"fuzzed{suffix}", content)
    assert all((row.event is None) == bool(row.detail) for row in rows)


def test_the_format_is_in_the_name() -> None:
    assert format_of(Path("a.b.JSONL")) == "ndjson"
