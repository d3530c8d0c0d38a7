"""Bodies as they are kept: redacted, as JSON, and bounded. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from backend.gateway.request_log.redaction import redacted

LONGEST_BODY: Final = 100_000
"""Characters that are kept of each."""


@dataclass(frozen=True, slots=True)
class BodyText:
    """A body to keep, and whether its end is left out."""

    text: str
    shortened: bool


def body_text(body: Any, *, private: bool) -> BodyText:
    """Return a body as it is kept; ``private`` tells whether it is redacted."""
    shown = redacted(body, private=private)
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
    # What PostgreSQL can't store: NUL, and halves of characters
    text = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return BodyText(text[:LONGEST_BODY], len(text) > LONGEST_BODY)
