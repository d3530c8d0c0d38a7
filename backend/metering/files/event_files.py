"""Files of usage events, read row by row in bounded memory: CSV, NDJSON and Parquet.

NDJSON has an event a line, as ``POST /v1/events`` accepts it. CSV and Parquet are flat: the columns
``id``, ``time``, ``source``, ``subject``, ``application``, ``model`` and ``key``, a column
``label.<name>`` for each label, and every other column is a meter with its quantity. An empty cell
means no value. ``.gz`` after ``.csv`` or ``.ndjson`` means compressed.
"""

from __future__ import annotations

import csv
import gzip
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final, Literal, Self, cast

import msgspec
import pyarrow
from pydantic import ValidationError

from backend.metering.errors import UnreadableEventFile
from backend.metering.files.parquet_rows import ParquetRows
from backend_client.types.events import UsageEvent

MAX_LINE_BYTES: Final = 1024 * 1024
_CHUNK_BYTES = 512 * 1024
_SHOWN = 200  # characters of a wrong id or name

FileFormat = Literal["csv", "ndjson", "parquet"]

_SUFFIXES: Final[Mapping[str, FileFormat]] = {
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
}
_EVENT_COLUMNS = ("id", "source", "subject", "time")
_DATA_COLUMNS = ("application", "model", "key")
_OWN_COLUMNS = (*_EVENT_COLUMNS, *_DATA_COLUMNS)
_METER = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
_LABEL = "label."

_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values for events whose row has none."""

    source: str | None = None
    subject: str | None = None
    application: str | None = None

    @property
    def columns(self) -> frozenset[str]:
        """The columns that a file need not have."""
        given = {"source": self.source, "subject": self.subject, "application": self.application}
        return frozenset(name for name, value in given.items() if value is not None)


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row with its event, or with the reason why it has none. ``line`` counts from 1.

    In Parquet, which has no lines, it is the number of the row.
    """

    line: int
    event: UsageEvent | None = None
    id: str | None = None
    field: str | None = None
    detail: str = ""


def format_of(path: Path) -> FileFormat:
    """Return the format by the ending of a name; raise ``UnreadableEventFile`` for another."""
    name = path.name.lower().removesuffix(".gz")
    for suffix, name_format in _SUFFIXES.items():
        if name.endswith(suffix) and (
            name_format != "parquet" or not path.name.lower().endswith(".gz")
        ):
            return name_format
    raise UnreadableEventFile(
        f"{path.name} is not a file of events: its name should end in .csv, .ndjson, .jsonl "
        "(with or without .gz) or .parquet."
    )


class EventFile:
    """A file of events that is read once. ``done`` of ``total`` has been read.

    Both are in bytes of the file; in Parquet, rows.
    """

    def __init__(self, path: Path, defaults: Defaults) -> None:
        self._path = path
        self._defaults = defaults
        self._format = format_of(path)
        self._file: IO[bytes] | None = None
        self._rows_read = 0
        self.total = 0

    @property
    def done(self) -> int:
        """How much of ``total`` has been read."""
        if self._file is not None:
            return self.total if self._file.closed else self._file.tell()
        return self._rows_read

    def rows(self) -> Iterator[FileRow]:
        """Read the rows in order; a row without an event says why, and reading continues.

        Raises:
            UnreadableEventFile: the file as a whole, or the rest of it, can't be read; names the
                line.
        """
        if self._format == "parquet":
            yield from self._parquet_rows()
            return
        with self._text() as file:
            lines = _lines(file)
            read = _read_csv if self._format == "csv" else _read_ndjson
            yield from read(self._path, lines, self._defaults)

    @contextmanager
    def _text(self) -> Iterator[IO[bytes]]:
        path = self._path
        try:
            with path.open("rb", buffering=_CHUNK_BYTES) as raw:
                self._file, self.total = raw, path.stat().st_size
                if path.name.lower().endswith(".gz"):
                    yield cast(IO[bytes], gzip.GzipFile(fileobj=raw))
                else:
                    yield raw
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UnreadableEventFile(
                f"{path.name} is not a complete gzip file: {error}."
            ) from error
        except OSError as error:
            raise UnreadableEventFile(
                f"{path} can't be read: {error.strerror or error}."
            ) from error

    def _parquet_rows(self) -> Iterator[FileRow]:
        path = self._path
        try:
            with ParquetRows(path) as rows:
                self.total = rows.count
                _check_columns(path, rows.columns, self._defaults)
                for named in rows:
                    self._rows_read += 1
                    yield _flat_row(self._rows_read, named, self._defaults)
        except pyarrow.ArrowException as error:
            first = str(error).partition("\n")[0].rstrip(".")
            raise UnreadableEventFile(f"{path.name} can't be read as Parquet: {first}.") from error
        except OSError as error:
            reason = (error.strerror or str(error)).rstrip(".")
            raise UnreadableEventFile(f"{path} can't be read: {reason}.") from error


def _lines(file: IO[bytes]) -> Iterator[bytes | None]:
    """Yield the lines of a file; None for one that is too long, which is skipped in pieces."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        if len(line) <= MAX_LINE_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(_CHUNK_BYTES)) and not rest.endswith(b"\n"):
            pass
        yield None


_TOO_LONG = f"the line is longer than {MAX_LINE_BYTES:,} bytes"


def _read_ndjson(
    _path: Path, lines: Iterator[bytes | None], defaults: Defaults
) -> Iterator[FileRow]:
    for number, line in enumerate(lines, 1):
        if line is None:
            yield FileRow(number, detail=_TOO_LONG)
        elif line.strip():
            yield _json_row(number, line, defaults)


def _json_row(number: int, line: bytes, defaults: Defaults) -> FileRow:
    try:
        member = _decoder.decode(line.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        return FileRow(number, detail=f"not JSON: {error}")
    if not isinstance(member, dict):
        return FileRow(number, detail="not an event: an object was expected")
    member.setdefault("source", defaults.source)
    member.setdefault("subject", defaults.subject)
    if isinstance(data := member.get("data"), dict):
        data.setdefault("application", defaults.application)
    return _row(number, member)


def _read_csv(path: Path, lines: Iterator[bytes | None], defaults: Defaults) -> Iterator[FileRow]:
    text = _CsvText(path, lines)
    reader = csv.reader(text, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise UnreadableEventFile(
                f"{path.name} is empty: its first line should name the columns."
            )
        _check_columns(path, header, defaults)
        text.begin_row()
        for cells in reader:
            text.begin_row()
            if not cells:
                continue
            if len(cells) != len(header):
                detail = f"{len(cells)} cells, where the first line has {len(header)}"
                yield FileRow(reader.line_num, detail=detail)
                continue
            yield _flat_row(reader.line_num, dict(zip(header, cells, strict=True)), defaults)
    except csv.Error as error:
        raise UnreadableEventFile(f"{path.name}, line {reader.line_num}: {error}.") from error


class _CsvText:
    """The lines of a CSV file, in rows of bounded size: a quoted cell may span many lines.

    After a line that can't be read the beginning of rows is unknown, so CSV stops; NDJSON
    continues.
    """

    def __init__(self, path: Path, lines: Iterator[bytes | None]) -> None:
        self._path = path
        self._lines = lines
        self._number = 0
        self._row_bytes = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._number += 1
        if line is None:
            raise self._wrong(_TOO_LONG)
        self._row_bytes += len(line)
        if self._row_bytes > MAX_LINE_BYTES:
            raise self._wrong(f"the row is longer than {MAX_LINE_BYTES:,} bytes")
        try:
            return line.decode("utf-8-sig" if self._number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise self._wrong(f"not UTF-8 ({error.reason})") from None

    def begin_row(self) -> None:
        """Mark that a row is complete and the next line begins another."""
        self._row_bytes = 0

    def _wrong(self, detail: str) -> UnreadableEventFile:
        return UnreadableEventFile(f"{self._path.name}, line {self._number}: {detail}.")


def _check_columns(path: Path, names: list[str], defaults: Defaults) -> None:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise UnreadableEventFile(f"{path.name}: there are two columns {name!r}.")
        label = name.startswith(_LABEL) and len(name) > len(_LABEL)
        if not (name in _OWN_COLUMNS or label or _METER.match(name)):
            raise UnreadableEventFile(
                f"{path.name}: {name!r} is not the name of a column. Apart from "
                f"{', '.join(_OWN_COLUMNS)} and label.<name>, a column is a meter, in lower "
                "case such as input_tokens."
            )
    for name in ("id", "source", "application", "model"):
        if name not in names and name not in defaults.columns:
            hint = "" if name in {"id", "model"} else f", or say --{name}"
            raise UnreadableEventFile(f"{path.name} has no column {name!r}{hint}.")


def _flat_row(number: int, named: Mapping[str, Any], defaults: Defaults) -> FileRow:
    given = {name: value for name, value in named.items() if value is not None and value != ""}
    labels, quantities = {}, {}
    for name, value in given.items():
        if name.startswith(_LABEL):
            labels[name.removeprefix(_LABEL)] = value
        elif name not in _OWN_COLUMNS:
            quantities[name] = _exact(value)
    data = {name: _text(given[name]) for name in _DATA_COLUMNS if name in given}
    data.setdefault("application", defaults.application)
    member: dict[str, Any] = {name: _text(given[name]) for name in _EVENT_COLUMNS if name in given}
    member.setdefault("source", defaults.source)
    member.setdefault("subject", defaults.subject)
    return _row(number, {**member, "data": {**data, "quantities": quantities, "labels": labels}})


def _text(value: object) -> object:
    """Return an integer as text, since ids may look like numbers; other values as they are."""
    return str(value) if isinstance(value, int) else value


def _exact(value: object) -> object:
    """Return a float as the shortest decimal that denotes it, as it would be printed."""
    return Decimal(repr(value)) if isinstance(value, float) and math.isfinite(value) else value


def _row(number: int, member: dict[str, Any]) -> FileRow:
    given = member.get("id")
    event_id = given[:_SHOWN] if isinstance(given, str) else None
    try:
        return FileRow(number, UsageEvent.model_validate(member), event_id)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        path = [str(part)[:_SHOWN] for part in first["loc"]]
        return FileRow(number, None, event_id, ".".join(path) or None, first["msg"])
