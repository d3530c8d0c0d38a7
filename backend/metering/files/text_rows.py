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

MAX_LINE_BYTES: Final = 1024 * 1024
CHUNK_BYTES: Final = 512 * 1024
_TOO_LONG = f"the line is longer than {MAX_LINE_BYTES:,} bytes"

_decoder = msgspec.json.Decoder(float_hook=Decimal)


def lines_of(file: IO[bytes]) -> Iterator[bytes | None]:
    """Yield the lines of a file; None for one that is too long, which is skipped in pieces."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        if len(line) <= MAX_LINE_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(CHUNK_BYTES)) and not rest.endswith(b"\n"):
            pass
        yield None


def read_ndjson(
    _path: Path, lines: Iterator[bytes | None], defaults: Defaults
) -> Iterator[FileRow]:
    """Read an event a line; what is not one says why, and reading continues."""
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
    return row_of(number, member)


def read_csv(path: Path, lines: Iterator[bytes | None], defaults: Defaults) -> Iterator[FileRow]:
    """Read rows below a line of column names; raise ``UnreadableEventFile`` if that is wrong.

    Also where the beginning of the next row is unknown, as after a quote that never ends.
    """
    text = _CsvText(path, lines)
    reader = csv.reader(text, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise UnreadableEventFile(
                f"{path.name} is empty: its first line should name the columns."
            )
        check_columns(path, header, defaults)
        text.begin_row()
        for cells in reader:
            text.begin_row()
            if not cells:
                continue
            if len(cells) != len(header):
                detail = f"{len(cells)} cells, where the first line has {len(header)}"
                yield FileRow(reader.line_num, detail=detail)
                continue
            yield flat_row(reader.line_num, dict(zip(header, cells, strict=True)), defaults)
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
