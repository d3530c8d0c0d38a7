"""Reads an export by its format, which is stated or recognized by its shape."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final, cast
from zoneinfo import ZoneInfo

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports import (
    anthropic,
    anthropic_console,
    focus,
    openai,
    openrouter,
)
from backend.metering.reconciliation.exports.csv_rows import read_rows
from backend.metering.reconciliation.exports.mapped_csv import read_mapped
from backend.metering.reconciliation.exports.parsing import Export, object_of
from backend_client.types.reconciliation import ExportFormat, ReconciliationOptions

MAX_JSON_BYTES: Final = 32 * 1024 * 1024
"""A JSON document is read as a whole; CSV is not, and may be of any size."""

_MOST_DIGITS: Final = 64  # Python is slow with more, and no quantity has so many
_GZIP: Final = b"\x1f\x8b"
_READ_JSON: Final[dict[ExportFormat, Callable[[Export, Sequence[object], Sequence[str]], None]]] = {
    ExportFormat.OPENAI_USAGE_JSON: openai.read_usage,
    ExportFormat.OPENAI_COSTS_JSON: openai.read_costs,
    ExportFormat.ANTHROPIC_USAGE_JSON: anthropic.read_usage,
    ExportFormat.ANTHROPIC_COST_JSON: anthropic.read_costs,
    ExportFormat.OPENROUTER_ACTIVITY_JSON: openrouter.read_activity,
}


@dataclass(frozen=True, slots=True)
class _CsvForm:
    """A known CSV file: the columns that tell it from others, that it needs and that it may have.

    ``understood`` is None where other columns do not matter.
    """

    marks: frozenset[str]
    read: Callable[[Export, str, Mapping[str, str]], None]
    needed: Sequence[str]
    understood: frozenset[str] | None = None


_OPENAI_TIMES: Final = frozenset({"start_time", "end_time", "start_time_iso", "end_time_iso"})
_CSV_FORMS: Final = {
    ExportFormat.OPENAI_COSTS_CSV: _CsvForm(
        frozenset({"amount_value"}),
        openai.read_cost_row,
        ("start_time", "end_time", "amount_value", "amount_currency"),
        openai.COST_COLUMNS,
    ),
    ExportFormat.OPENAI_USAGE_CSV: _CsvForm(
        frozenset({"num_model_requests"}),
        openai.read_usage_row,
        (
            *("start_time", "end_time", "model", "num_model_requests"),
            *("input_tokens", "output_tokens"),
        ),
        openai.USAGE_COLUMNS,
    ),
    ExportFormat.ANTHROPIC_USAGE_CSV: _CsvForm(
        frozenset({"usage_date_utc", "usage_output_tokens"}),
        anthropic_console.read_usage_row,
        anthropic_console.USAGE_NEEDED,
        anthropic_console.USAGE_COLUMNS,
    ),
    ExportFormat.ANTHROPIC_COST_CSV: _CsvForm(
        frozenset({"usage_date_utc", "token_type", "cost_usd"}),
        anthropic_console.read_cost_row,
        anthropic_console.COST_NEEDED,
        anthropic_console.COST_COLUMNS,
    ),
    ExportFormat.OPENROUTER_ACTIVITY_CSV: _CsvForm(
        frozenset({"Slug", "Prompt Tokens"}),
        openrouter.read_activity_row,
        openrouter.ACTIVITY_NEEDED,
        openrouter.ACTIVITY_COLUMNS,
    ),
    ExportFormat.OPENROUTER_LOGS_CSV: _CsvForm(
        frozenset({"generation_id", "model_permaslug"}),
        openrouter.read_log_row,
        openrouter.LOG_NEEDED,
    ),
}


def read_export(file: IO[bytes], options: ReconciliationOptions) -> tuple[ExportFormat, Export]:
    """Read an export from a seekable file, from its beginning; compressed by gzip, or not.

    Raises ``UnreadableExport`` naming the line or path and the field.
    """
    packed = file.read(2) == _GZIP
    file.seek(0)
    if not packed:
        return _read(file, options)
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            return _read(cast(IO[bytes], unpacked), options)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnreadableExport("line 1", f"the gzip file is damaged or cut off: {error}") from error


def _read(file: IO[bytes], options: ReconciliationOptions) -> tuple[ExportFormat, Export]:
    export = Export(ZoneInfo(options.time_zone))
    chosen = options.format
    if chosen is None and options.mapping is not None:
        chosen = ExportFormat.CSV
    if chosen is ExportFormat.CSV:
        if options.mapping is None:
            raise UnreadableExport("mapping", "a CSV file of another provider needs one")
        read_mapped(export, file, options.mapping)
    elif chosen in _READ_JSON or (chosen is None and _is_json(file)):
        pages = _pages(_document(file))
        chosen = chosen or _json_format(pages)
        _READ_JSON[chosen](export, pages, options.ignore_fields)
    else:
        columns = _header(file)
        if chosen is None and (options.focus is not None or set(focus.NEEDED) <= set(columns)):
            chosen = ExportFormat.FOCUS_CSV
        chosen = chosen or _csv_format(columns)
        if chosen is ExportFormat.FOCUS_CSV:
            focus.read_focus(export, file, options.focus)
        else:
            _read_csv(export, file, _CSV_FORMS[chosen], columns, options.ignore_fields)
    return chosen, export


def _is_json(file: IO[bytes]) -> bool:
    head = file.read(4_096)
    file.seek(0)
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _document(file: IO[bytes]) -> object:
    content = file.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise UnreadableExport(
            "line 1", f"a JSON export of more than {MAX_JSON_BYTES:,} bytes; split it by month"
        )
    try:
        return json.loads(
            content.decode("utf-8-sig"),
            parse_int=_whole,
            parse_float=str,  # as text, not through a float
            parse_constant=str,  # NaN and the like, refused later, with their path
            object_pairs_hook=object_of,
        )
    except UnicodeDecodeError as error:
        raise UnreadableExport("line 1", f"the file is not UTF-8: {error.reason}") from error
    except json.JSONDecodeError as error:
        raise UnreadableExport(f"line {error.lineno}", f"is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise UnreadableExport("line 1", "the JSON is nested too deeply") from error


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _pages(document: object) -> list[object]:
    pages = document if isinstance(document, list) else [document]
    if not pages:
        raise UnreadableExport("line 1", "the export has no page")
    return pages


def _json_format(pages: Sequence[object]) -> ExportFormat:
    """Recognize the format by the first result, or by the bucket if there is none."""
    first = pages[0]
    data = first.get("data") if isinstance(first, dict) else None
    empty = None
    for bucket in data if isinstance(data, list) else []:
        if not isinstance(bucket, dict):
            break
        if "model_permaslug" in bucket:
            return ExportFormat.OPENROUTER_ACTIVITY_JSON
        results = bucket.get("results")
        result = results[0] if isinstance(results, list) and results else None
        if "starting_at" in bucket:
            empty = ExportFormat.ANTHROPIC_USAGE_JSON
            if isinstance(result, dict):
                cost = "amount" in result
                return (
                    ExportFormat.ANTHROPIC_COST_JSON if cost else ExportFormat.ANTHROPIC_USAGE_JSON
                )
        elif "start_time" in bucket and result is None:
            empty = ExportFormat.OPENAI_USAGE_JSON
        elif isinstance(result, dict):
            cost = result.get("object") == "organization.costs.result"
            return ExportFormat.OPENAI_COSTS_JSON if cost else ExportFormat.OPENAI_USAGE_JSON
    if empty is not None:  # nothing was used on its days
        return empty
    raise UnreadableExport(
        "line 1", "this JSON has not the shape of a known export; name its format"
    )


def _csv_format(columns: Collection[str]) -> ExportFormat:
    for file_format, form in _CSV_FORMS.items():
        if form.marks <= set(columns):
            return file_format
    if set(columns) == _OPENAI_TIMES:
        return ExportFormat.OPENAI_USAGE_CSV  # of days without any usage
    raise UnreadableExport("line 1", "these are not the columns of a known export; give a mapping")


def _header(file: IO[bytes]) -> list[str]:
    first = file.readline(65_536).removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    file.seek(0)
    return [name.strip().strip('"') for name in first.split(",")]


def _read_csv(
    export: Export, file: IO[bytes], form: _CsvForm, columns: Sequence[str], ignored: Sequence[str]
) -> None:
    needed = sorted(_OPENAI_TIMES) if set(columns) == _OPENAI_TIMES else form.needed
    for where, row in read_rows(file, understood=form.understood, ignored=ignored, needed=needed):
        form.read(export, where, row)
