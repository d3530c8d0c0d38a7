"""Events that are pasted to see what they would change, and the verdict. Plain functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend_client.types.events import IngestResult
from portal.kit.formatting import count

MOST_CHARACTERS = 300_000
"""What a browser sends in one message; larger backfills are previewed by the API."""
MOST_REFUSED = 20


@dataclass(frozen=True)
class RefusedRow:
    """An event that would not be taken."""

    place: str
    field: str
    why: str


def pasted_events(text: str, tenant_id: str) -> list[Mapping[str, Any]]:
    """Read a JSON array of events, one event, or one on each line; of ``tenant_id`` if they don't
    say whose they are.

    Raises:
        ValueError: it is none of these; says where it stops being one.
    """
    text = text.strip()
    if not text:
        raise ValueError("Paste the events first.")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"That is more than {count(MOST_CHARACTERS)} characters; use the API.")
    events = _read(text) if text.startswith("[") else _read_lines(text)
    if not isinstance(events, list) or not events:
        raise ValueError("There are no events in it.")
    for place, event in enumerate(events):
        if not isinstance(event, dict):
            raise ValueError(f"The event at place {place + 1} is no JSON object.")
    return [{"subject": tenant_id, **event} for event in events]


def verdict_note(verdict: IngestResult) -> str:
    """What would become of the events, in a sentence."""
    parts = [f"{count(verdict.accepted)} of {count(verdict.received)} would be counted"]
    if verdict.duplicates:
        parts.append(f"{count(verdict.duplicates)} are known already")
    if verdict.rejected:
        parts.append(f"{count(verdict.rejected)} would be refused")
    return ", ".join(parts) + "."


def refused_rows(verdict: IngestResult) -> list[RefusedRow]:
    """The first of the events that would be refused, by their place in what was pasted."""
    return [
        RefusedRow(
            place=f"{error.index + 1}" + (f", {error.id}" if error.id else ""),
            field=error.field or "",
            why=error.detail,
        )
        for error in verdict.errors[:MOST_REFUSED]
    ]


def _read(text: str) -> Any:
    try:
        # Numbers stay as they were written: a float would lose digits
        return json.loads(text, parse_float=str)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"Not JSON: {place}: {error.msg}.") from None


def _read_lines(text: str) -> list[Any]:
    try:
        return [json.loads(text, parse_float=str)]  # one event, laid out over lines
    except json.JSONDecodeError:
        pass
    events = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                events.append(json.loads(line, parse_float=str))
            except json.JSONDecodeError as error:
                where = f"line {number}, column {error.colno}"
                raise ValueError(f"Not JSON: {where}: {error.msg}.") from None
    return events
