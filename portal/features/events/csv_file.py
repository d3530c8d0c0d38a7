"""Usage events as CSV, a meter of each in a line, as ``usage.csv`` has them. Plain functions."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from backend_client.types.common import plain
from backend_client.types.events import StoredEvent
from portal.shared.events.rows import event_state, in_order

HEAD = (
    *("time", "received_at", "source", "id", "state"),
    *("application", "application_name", "key", "key_name", "model"),
    *("meter", "quantity", "counted", "labels"),
)


def head_line() -> str:
    """The line that names the columns."""
    return _field([HEAD])


def event_lines(events: Iterable[StoredEvent], names: Mapping[str, str]) -> str:
    """Events, a meter a line; quantities in full. A voided event shows what it had counted.

    ``labels`` are written ``team=search;env=live``, and ``names`` are of applications and keys.
    """
    rows = []
    for event in events:
        labels = ";".join(f"{name}={value}" for name, value in sorted(event.labels.items()))
        about = (
            event.time.isoformat(),
            event.received_at.isoformat(),
            _cell(event.source),
            _cell(event.id),
            event_state(event),
            _cell(event.application),
            _cell(names.get(event.application, "")),
            _cell(event.key or ""),
            _cell(names.get(event.key, "") if event.key else ""),
            _cell(event.model),
        )
        counted = event.counted or {}
        for meter in in_order({**event.quantities, **counted}):
            quantity, here = event.quantities.get(meter), counted.get(meter)
            rows.append(
                (
                    *about,
                    meter,
                    "" if quantity is None else plain(quantity),
                    "" if here is None else plain(here),
                    _cell(labels),
                )
            )
    return _field(rows)


def _field(rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _cell(text: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
