"""Rows of a file of events, and how named columns become an event."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.metering.errors import UnreadableEventFile
from backend.metering.refusals.refusal import refusal_of
from backend_client.types.events import UsageEvent

_EVENT_COLUMNS = ("id", "source", "subject", "time")
_DATA_COLUMNS = ("application", "model", "key", "upstream")
_OWN_COLUMNS = (*_EVENT_COLUMNS, *_DATA_COLUMNS)
_METER = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
_LABEL = "label."


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values for events whose row has none."""

    source: str | None = None
    subject: str | None = None
    application: str | None = None

    @property
    def columns(self) -> frozenset[str]:
        """The columns that a file need not have."""
        given = {"source": self.source, "subject": self.subject, "application": self.application}
        return frozenset(name for name, value in given.items() if value is not None)


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row with its event, or with the reason why it has none.

    ``line`` is the first of the row, counted from 1; in Parquet, which has no lines, it is the
    number of the row.
    """

    line: int
    event: UsageEvent | None = None
    id: str | None = None
    field: str | None = None
    detail: str = ""


def check_columns(path: Path, names: list[str], defaults: Defaults) -> None:
    """Raise ``UnreadableEventFile`` if columns repeat, are unknown, or are missing."""
    for place, name in enumerate(names):
        if name in names[:place]:
            raise UnreadableEventFile(f"{path.name}: there are two columns {name!r}.")
        label = name.startswith(_LABEL) and len(name) > len(_LABEL)
        if not (name in _OWN_COLUMNS or label or _METER.match(name)):
            raise UnreadableEventFile(
                f"{path.name}: {name!r} is not the name of a column. Apart from "
                f"{', '.join(_OWN_COLUMNS)} and label.<name>, a column is a meter, in lower "
                "case such as input_tokens."
            )
    for name in ("id", "source", "application", "model"):
        if name not in names and name not in defaults.columns:
            hint = "" if name in {"id", "model"} else f", or say --{name}"
            raise UnreadableEventFile(f"{path.name} has no column {name!r}{hint}.")


def flat_row(number: int, named: Mapping[str, Any], defaults: Defaults) -> FileRow:
    """Return the event of a row with named columns, or why it has none."""
    given = {name: value for name, value in named.items() if value is not None and value != ""}
    labels, quantities = {}, {}
    for name, value in given.items():
        if name.startswith(_LABEL):
            labels[name.removeprefix(_LABEL)] = value
        elif name not in _OWN_COLUMNS:
            quantities[name] = _exact(value)
    data = {name: _text(given[name]) for name in _DATA_COLUMNS if name in given}
    data.setdefault("application", defaults.application)
    member: dict[str, Any] = {name: _text(given[name]) for name in _EVENT_COLUMNS if name in given}
    member.setdefault("source", defaults.source)
    member.setdefault("subject", defaults.subject)
    return row_of(number, {**member, "data": {**data, "quantities": quantities, "labels": labels}})


def _text(value: object) -> object:
    """Return an integer as text, since ids may look like numbers; other values as they are."""
    return str(value) if isinstance(value, int) else value


def _exact(value: object) -> object:
    """Return a float as the shortest decimal that denotes it, as it would be printed."""
    return Decimal(repr(value)) if isinstance(value, float) and math.isfinite(value) else value


def row_of(number: int, member: dict[str, Any]) -> FileRow:
    """Return the event that a JSON object is, or why it is none."""
    try:
        event = UsageEvent.model_validate(member)
    except ValidationError as error:
        refusal = refusal_of(member, error)
        return FileRow(number, None, refusal.event_id, refusal.field, refusal.detail)
    return FileRow(number, event, event.id)
