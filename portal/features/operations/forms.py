"""What the failed message's form holds. Plain functions."""

from __future__ import annotations

import json
from typing import Any


def events_from(text: str) -> list[Any]:
    """Read what was written in the form.

    Raises:
        ValueError: it is not a JSON array; says where it stops being one.
    """
    try:
        # Numbers stay as they were written: a float would lose digits
        events = json.loads(text, parse_float=str)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"Not JSON: {place}: {error.msg}.") from None
    if not isinstance(events, list) or not events:
        raise ValueError("An array of events is needed.")
    return events
