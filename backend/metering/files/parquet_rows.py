"""The rows of a Parquet file, in memory bounded by the size of rows, not of the file.

Five hundred kilobytes of Parquet can mean gigabytes: a text that is written once and referred to
four thousand times. Texts are therefore read as dictionaries, which is how they are stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow
import pyarrow.parquet

from backend.metering.errors import UnreadableEventFile

_ROWS: Final = 2_000
_BATCH_BYTES: Final = 32 * 1024 * 1024
_CHUNK_BYTES: Final = 256 * 1024 * 1024
"""The most bytes of a column in one row group. Writers' defaults stay far below it."""
_BUFFER_BYTES: Final = 1024 * 1024


class ParquetRows:
    """A Parquet file that is open for reading; close it, or use it in a ``with``.

    ``columns`` are the columns' names, ``count`` the number of rows.
    """

    def __init__(self, path: Path) -> None:
        """Open a file; raise pyarrow's errors, ``OSError``, or ``UnreadableEventFile``.

        It is too wide if a column of one row group exceeds the memory limit.
        """
        with pyarrow.parquet.ParquetFile(path) as file:
            self._batch_rows = _rows_at_once(path, file.metadata)
            texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        self._file = pyarrow.parquet.ParquetFile(
            path, read_dictionary=texts, buffer_size=_BUFFER_BYTES
        )
        self.columns: list[str] = self._file.schema_arrow.names
        self.count: int = self._file.metadata.num_rows

    def __enter__(self) -> ParquetRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def after(self, count: int) -> Iterator[dict[str, Any]]:
        """Read the rows but the first ``count``; whole row groups of those are not read at all."""
        group = 0
        metadata = self._file.metadata
        while group < metadata.num_row_groups and count >= metadata.row_group(group).num_rows:
            count -= metadata.row_group(group).num_rows
            group += 1
        groups = range(group, metadata.num_row_groups)
        for batch in self._file.iter_batches(batch_size=self._batch_rows, row_groups=groups):
            cells = [_cells(column) for column in batch.columns]
            for row in zip(*cells, strict=True):
                if count:
                    count -= 1
                else:
                    yield dict(zip(self.columns, row, strict=True))


def _rows_at_once(path: Path, metadata: pyarrow.parquet.FileMetaData) -> int:
    widest = 1
    for place in range(metadata.num_row_groups):
        group = metadata.row_group(place)
        for column in range(group.num_columns):
            chunk = group.column(column)
            if chunk.total_uncompressed_size > _CHUNK_BYTES:
                raise UnreadableEventFile(
                    f"{path.name}: the column {chunk.path_in_schema!r} has "
                    f"{chunk.total_uncompressed_size:,} bytes in one row group, and at most "
                    f"{_CHUNK_BYTES:,} are read; write it with smaller row groups."
                )
        widest = max(widest, group.total_byte_size // max(group.num_rows, 1))
    return max(1, min(_ROWS, _BATCH_BYTES // widest))


def _is_text(kind: pyarrow.DataType) -> bool:
    return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_binary(kind))


def _cells(column: pyarrow.Array) -> list[Any]:
    if pyarrow.types.is_dictionary(column.type):
        values = _cells(column.dictionary)
        return [None if place is None else values[place] for place in column.indices.to_pylist()]
    if pyarrow.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Python knows no nanoseconds: they are cut, as in every other time of an event
        column = column.cast(pyarrow.timestamp("us", column.type.tz), safe=False)
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):
        return [_cell(scalar) for scalar in column]


def _cell(scalar: pyarrow.Scalar) -> object:
    try:
        return scalar.as_py()
    except (
        OverflowError,
        ValueError,
    ):  # a time beyond Python's calendar, or text that is not UTF-8
        return "(can't be read)"
