"""CSV exports, read row by row in bounded memory; errors name the line."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from typing import IO, Final, Self

from backend.metering.errors import UnreadableExport

MAX_LINE_BYTES: Final = 65_536
_MAX_COLUMNS: Final = 500


def read_rows(
    file: IO[bytes],
    *,
    delimiter: str = ",",
    understood: frozenset[str] | None = None,
    ignored: Collection[str] = (),
    needed: Sequence[str] = (),
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row by column with where it is (``line 3``).

    ``understood`` and ``ignored`` are the columns that may exist, ``needed`` those that must. Where
    nothing is given as understood, any other column may exist too.
    """
    lines = _Lines(file)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise UnreadableExport(f"line {reader.line_num}", f"is not CSV: {error}") from error
        where = f"line {reader.line_num}"
        lines.begin_row()
        if cells is None:
            break
        if header is None:
            header = _header(where, cells, understood, ignored, needed)
        elif not any(cell.strip() for cell in cells):
            continue
        elif len(cells) != len(header):
            raise UnreadableExport(
                where, f"has {len(cells)} columns where the first line has {len(header)}"
            )
        else:
            yield where, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    if header is None:
        raise UnreadableExport("line 1", "the file is empty")


def _header(
    where: str,
    cells: Sequence[str],
    understood: frozenset[str] | None,
    ignored: Collection[str],
    needed: Sequence[str],
) -> list[str]:
    names = [cell.strip() for cell in cells]
    if len(names) > _MAX_COLUMNS:
        raise UnreadableExport(where, f"has more than {_MAX_COLUMNS} columns")
    for name in names:
        if names.count(name) > 1:
            raise UnreadableExport(f"{where}, {name}", "this column occurs twice")
        if understood is not None and name not in understood and name not in ignored:
            raise UnreadableExport(
                f"{where}, {name}",
                "this column is not understood; name it in ignore (of a mapping) or ignore_fields",
            )
    for name in needed:
        if name not in names:
            raise UnreadableExport(f"{where}, {name}", "this column is missing")
    return names


class _Lines:
    """Lines of UTF-8, for rows of bounded size: a cell in quotation marks may span many."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._number = 0
        self._row_bytes = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        """Return the next line; one longer than any row is refused before it is in memory."""
        line = self._file.readline(MAX_LINE_BYTES + 1)
        if not line:
            raise StopIteration
        self._number += 1
        self._row_bytes += len(line)
        if self._row_bytes > MAX_LINE_BYTES:
            what = "is longer" if len(line) > MAX_LINE_BYTES else "continues a row longer"
            raise self._refusal(f"{what} than {MAX_LINE_BYTES:,} bytes")
        if self._number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if b"\0" in line:
            raise self._refusal("has a zero byte: this is not UTF-8 text")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise self._refusal(f"is not UTF-8 (byte {error.start + 1} of it)") from error

    def begin_row(self) -> None:
        """Mark that a row is complete and the next line begins another."""
        self._row_bytes = 0

    def _refusal(self, detail: str) -> UnreadableExport:
        return UnreadableExport(f"line {self._number}", detail)
