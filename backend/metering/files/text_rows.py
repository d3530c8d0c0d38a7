"""Rows of events in text: NDJSON, an event a line, and CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Final, Self

import msgspec

from backend.metering.errors import UnreadableEventFile
from backend.metering.files.flat_rows import Defaults, FileRow, check_columns, flat_row, row_of
from backend.metering.files.place import BEGINNING, Place

MAX_LINE_BYTES: Final = 1024 * 1024
CHUNK_BYTES: Final = 512 * 1024
_TOO_LONG = f"the line is longer than {MAX_LINE_BYTES:,} bytes"

_END: Final = b""
_decoder = msgspec.json.Decoder(float_hook=Decimal)


class Lines:
    """The lines of a file, one after the other, and where the row begins that is not read yet.

    A line that is too long is None, and skipped in pieces.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._offset = 0
        self.number = 0
        """Of the line that was read last, from 1."""
        self.place = BEGINNING

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes | None:
        line = self._file.readline(MAX_LINE_BYTES + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._offset += len(line)
        if len(line) <= MAX_LINE_BYTES or line.endswith(b"\n"):
            return line
        while rest := self._file.readline(CHUNK_BYTES):
            self._offset += len(rest)
            if rest.endswith(b"\n"):
                break
        return None

    def end_row(self) -> None:
        """Mark that the next line begins a row."""
        self.place = Place(self.number + 1, self._offset)

    def go_to(self, place: Place) -> None:
        """Read on from a place further on: by its offset, or line by line if that is unknown."""
        if place.offset is not None and place.offset >= self._offset:
            self._file.seek(place.offset)
            self._offset, self.number = place.offset, place.line - 1
        while self.number < place.line - 1 and next(self, _END) is not _END:
            pass
        self.end_row()


def read_ndjson(_path: Path, lines: Lines, defaults: Defaults, start: Place) -> Iterator[FileRow]:
    """Read an event a line; what is not one says why, and reading continues."""
    lines.go_to(start)
    for line in lines:
        lines.end_row()
        if line is None:
            yield FileRow(lines.number, detail=_TOO_LONG)
        elif line.strip():
            yield _json_row(lines.number, line, defaults)


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
    return row_of(number, member)


def read_csv(path: Path, lines: Lines, defaults: Defaults, start: Place) -> Iterator[FileRow]:
    """Read rows below a line of column names; raise ``UnreadableEventFile`` if that is wrong.

    Also where the beginning of the next row is unknown, as after a quote that never ends.
    """
    text = _CsvText(path, lines)
    header = _header(path, text, defaults)
    lines.end_row()
    if start.line > lines.place.line:
        lines.go_to(start)
    text.begin_row()
    reader = csv.reader(text, strict=True)
    try:
        for cells in reader:
            line = lines.place.line
            lines.end_row()
            text.begin_row()
            if not cells:
                continue
            if len(cells) != len(header):
                detail = f"{len(cells)} cells, where the first line has {len(header)}"
                yield FileRow(line, detail=detail)
                continue
            yield flat_row(line, dict(zip(header, cells, strict=True)), defaults)
    except csv.Error as error:
        raise UnreadableEventFile(f"{path.name}, line {lines.number}: {error}.") from error


def _header(path: Path, text: _CsvText, defaults: Defaults) -> list[str]:
    try:
        header = next(csv.reader(text, strict=True), None)
    except csv.Error as error:
        raise UnreadableEventFile(f"{path.name}, line 1: {error}.") from error
    if header is None:
        raise UnreadableEventFile(f"{path.name} is empty: its first line should name the columns.")
    check_columns(path, header, defaults)
    return header


class _CsvText:
    """The lines of a CSV file, in rows of bounded size: a quoted cell may span many lines.

    After a line that can't be read the beginning of rows is unknown, so CSV stops; NDJSON
    continues.
    """

    def __init__(self, path: Path, lines: Lines) -> None:
        self._path = path
        self._lines = lines
        self._row_bytes = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        if line is None:
            raise self._wrong(_TOO_LONG)
        self._row_bytes += len(line)
        if self._row_bytes > MAX_LINE_BYTES:
            raise self._wrong(f"the row is longer than {MAX_LINE_BYTES:,} bytes")
        try:
            return line.decode("utf-8-sig" if self._lines.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise self._wrong(f"not UTF-8 ({error.reason})") from None

    def begin_row(self) -> None:
        """Mark that a row is complete and the next line begins another."""
        self._row_bytes = 0

    def _wrong(self, detail: str) -> UnreadableEventFile:
        return UnreadableEventFile(f"{self._path.name}, line {self._lines.number}: {detail}.")
