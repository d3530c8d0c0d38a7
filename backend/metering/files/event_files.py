"""Files of usage events, read row by row in bounded memory: CSV, NDJSON and Parquet.

NDJSON has an event a line, as ``POST /v1/events`` accepts it. CSV and Parquet are flat: the columns
``id``, ``time``, ``source``, ``subject``, ``application``, ``model``, ``key`` and ``upstream``, a
column ``label.<name>`` for each label, and every other column is a meter with its quantity. An
empty cell means no value. ``.gz`` after ``.csv`` or ``.ndjson`` means compressed, in one gzip
member or more.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Literal, cast

import pyarrow

from backend.metering.errors import UnreadableEventFile
from backend.metering.files.flat_rows import Defaults, FileRow, check_columns, flat_row
from backend.metering.files.parquet_rows import ParquetRows
from backend.metering.files.place import BEGINNING, Place
from backend.metering.files.text_rows import CHUNK_BYTES, Lines, read_csv, read_ndjson

FileFormat = Literal["csv", "ndjson", "parquet"]

_SUFFIXES: Final[Mapping[str, FileFormat]] = {
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
}


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
        self._lines: Lines | None = None
        self._rows_read = 0
        self.total = 0

    @property
    def name(self) -> str:
        """The file's name."""
        return self._path.name

    @property
    def done(self) -> int:
        """How much of ``total`` has been read."""
        if self._file is not None:
            return self.total if self._file.closed else self._file.tell()
        return self._rows_read

    @property
    def place(self) -> Place:
        """Where the row begins that follows the last one that was read."""
        if self._lines is not None:
            return self._lines.place
        return Place(self._rows_read + 1)

    def rows(self, start: Place = BEGINNING) -> Iterator[FileRow]:
        """Read the rows from ``start`` in order; one without an event says why, and others follow.

        The first line of a CSV names the columns, wherever reading starts.

        Raises:
            UnreadableEventFile: the file as a whole, or the rest of it, can't be read; names the
                line.
        """
        if self._format == "parquet":
            yield from self._parquet_rows(start)
            return
        with self._text() as file:
            self._lines = Lines(file)
            read = read_csv if self._format == "csv" else read_ndjson
            yield from read(self._path, self._lines, self._defaults, start)

    @contextmanager
    def _text(self) -> Iterator[IO[bytes]]:
        path = self._path
        try:
            with path.open("rb", buffering=CHUNK_BYTES) as raw:
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

    def _parquet_rows(self, start: Place) -> Iterator[FileRow]:
        path = self._path
        try:
            with ParquetRows(path) as rows:
                self.total = rows.count
                check_columns(path, rows.columns, self._defaults)
                self._rows_read = min(start.line - 1, rows.count)
                for named in rows.after(self._rows_read):
                    self._rows_read += 1
                    yield flat_row(self._rows_read, named, self._defaults)
        except pyarrow.ArrowException as error:
            first = str(error).partition("\n")[0].rstrip(".")
            raise UnreadableEventFile(f"{path.name} can't be read as Parquet: {first}.") from error
        except OSError as error:
            reason = (error.strerror or str(error)).rstrip(".")
            raise UnreadableEventFile(f"{path} can't be read: {reason}.") from error
