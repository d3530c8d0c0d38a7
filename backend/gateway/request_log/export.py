"""The log of calls as a file for spreadsheets. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from backend.kit.spreadsheets import csv_text, spreadsheet_cell
from backend_client.types.common import plain
from backend_client.types.requests import LoggedRequest

COLUMNS = (
    *("time", "id", "outcome", "status", "protocol", "streamed", "model", "application", "key"),
    *("upstream", "attempts", "duration_ms", "first_token_ms", "error_code", "error_detail"),
    *("event_id", "request_id", "answer_id", "quantities", "labels", "cost", "currency"),
)


def requests_csv(requests: Sequence[LoggedRequest], *, head: bool) -> str:
    """Return calls as rows of CSV (RFC 4180), with the columns' names before them if ``head``.

    Quantities and labels are written ``input_tokens=12;output_tokens=3``.
    """
    text = csv_text(COLUMNS, [_cells(request) for request in requests])
    return text if head else text.partition("\r\n")[2]


def _cells(request: LoggedRequest) -> list[str]:
    shown = request.model_dump(mode="json")
    quantities = {meter: plain(units) for meter, units in request.quantities.items()}
    shown |= {"quantities": _pairs(quantities), "labels": _pairs(request.labels)}
    return [spreadsheet_cell(_text(shown[name])) for name in COLUMNS]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _pairs(values: dict[str, str]) -> str:
    return ";".join(f"{name}={value}" for name, value in sorted(values.items()))
