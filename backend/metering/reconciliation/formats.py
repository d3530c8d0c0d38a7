"""Reads an export by its format, which is stated or recognized by its shape."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import IO, Final
from zoneinfo import ZoneInfo

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation import anthropic_export, openai_export
from backend.metering.reconciliation.csv_export import read_mapped, read_rows
from backend.metering.reconciliation.parsing import Export, object_of
from backend_client.types.reconciliation import ExportFormat, ReconciliationOptions

MAX_JSON_BYTES: Final = 32 * 1024 * 1024
"""A JSON document is read as a whole; CSV is not, and may be of any size."""

_MOST_DIGITS: Final = 64  # Python is slow with more, and no quantity has so many
_READ_JSON: Final[dict[ExportFormat, Callable[[Export, Sequence[object], Sequence[str]], None]]] = {
    ExportFormat.OPENAI_USAGE_JSON: openai_export.read_usage,
    ExportFormat.OPENAI_COSTS_JSON: openai_export.read_costs,
    ExportFormat.ANTHROPIC_USAGE_JSON: anthropic_export.read_usage,
    ExportFormat.ANTHROPIC_COST_JSON: anthropic_export.read_costs,
}


def read_export(file: IO[bytes], options: ReconciliationOptions) -> tuple[ExportFormat, Export]:
    """Read an export from a seekable file, from its beginning.

    Raises ``UnreadableExport`` naming the line or path and the field.
    """
    export = Export(ZoneInfo(options.time_zone))
    if options.format is ExportFormat.CSV or (options.format is None and options.mapping):
        if options.mapping is None:
            raise UnreadableExport("mapping", "a CSV file of another provider needs one")
        read_mapped(export, file, options.mapping)
        chosen = ExportFormat.CSV
    elif options.format in _READ_JSON or (options.format is None and _is_json(file)):
        pages = _pages(_document(file))
        chosen = options.format or _json_format(pages)
        _READ_JSON[chosen](export, pages, options.ignore_fields)
    else:
        chosen = options.format or _csv_format(file)
        _read_openai_csv(export, file, chosen, options.ignore_fields)
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
    for bucket in data if isinstance(data, list) else []:
        if not isinstance(bucket, dict):
            break
        results = bucket.get("results")
        result = results[0] if isinstance(results, list) and results else None
        if "starting_at" in bucket:
            if isinstance(result, dict):
                cost = "amount" in result
                return (
                    ExportFormat.ANTHROPIC_COST_JSON if cost else ExportFormat.ANTHROPIC_USAGE_JSON
                )
        elif isinstance(result, dict):
            cost = result.get("object") == "organization.costs.result"
            return ExportFormat.OPENAI_COSTS_JSON if cost else ExportFormat.OPENAI_USAGE_JSON
    raise UnreadableExport(
        "line 1", "this JSON has not the shape of a known export; name its format"
    )


def _csv_format(file: IO[bytes]) -> ExportFormat:
    first = file.readline(65_536).removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    columns = {name.strip().strip('"') for name in first.split(",")}
    file.seek(0)
    if "amount_value" in columns:
        return ExportFormat.OPENAI_COSTS_CSV
    if "num_model_requests" in columns:
        return ExportFormat.OPENAI_USAGE_CSV
    raise UnreadableExport("line 1", "these are not the columns of a known export; give a mapping")


def _read_openai_csv(
    export: Export, file: IO[bytes], chosen: ExportFormat, ignored: Sequence[str]
) -> None:
    times = ("start_time", "end_time")
    if chosen is ExportFormat.OPENAI_COSTS_CSV:
        rows = read_rows(
            file,
            understood=openai_export.COST_COLUMNS,
            ignored=ignored,
            needed=(*times, "amount_value", "amount_currency"),
        )
        for where, row in rows:
            openai_export.read_cost_row(export, where, row)
        return
    rows = read_rows(
        file,
        understood=openai_export.USAGE_COLUMNS,
        ignored=ignored,
        needed=(*times, "model", "num_model_requests", "input_tokens", "output_tokens"),
    )
    for where, row in rows:
        openai_export.read_usage_row(export, where, row)
