"""Log lines that a request can neither forge nor blow up, and of which there are not too many."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Final

MOST_VALUE: Final = 2_000
"""Characters of one value of a line."""
MOST_TRACE: Final = 16_000
"""Characters of a traceback: its beginning and its end."""
MOST_OF_A_KIND: Final = 100
KIND_SECONDS: Final = 60.0

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, line separators, marks of writing direction, halves of characters."""


def on_one_line(text: str, most: int = MOST_VALUE) -> str:
    """Return text that stays on its line, whatever is in it: ``\\n`` for a new line, and so on."""
    # Cut before and after, since an escape is longer than what it stands for
    shown = _UNPRINTABLE.sub(_escape, text[: most + 1])
    if len(text) <= most and len(shown) <= most:
        return shown
    return f"{shown[:most]}… ({len(text):,} characters)"


def indented(trace: str) -> str:
    """Return a traceback in which no line can pass for another entry of the log."""
    if len(trace) > MOST_TRACE:
        half = MOST_TRACE // 2
        trace = f"{trace[:half]}\n… ({len(trace):,} characters)\n{trace[-half:]}"
    return "\n".join("    " + on_one_line(line) for line in trace.split("\n"))


class BoundedFormatter(logging.Formatter):
    """Formats one entry: a line, and a traceback that is indented under it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the entry's text."""
        bounded = logging.makeLogRecord(record.__dict__)
        bounded.msg, bounded.args = on_one_line(record.getMessage()), None
        return super().format(bounded)

    def formatException(self, ei: object) -> str:
        """Return the traceback, bounded."""
        return indented(super().formatException(ei))  # type: ignore[arg-type]  # passed on as it is


class FloodGate(logging.Filter):
    """Lets through so many warnings a minute from each place in the code, and says what it held.

    What a stranger provokes comes from one place. Information, such as a line a request, passes.
    """

    def __init__(
        self,
        *,
        most: int = MOST_OF_A_KIND,
        seconds: float = KIND_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._windows: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether to write the entry."""
        if record.levelno < logging.WARNING:
            return True
        now = self._clock()
        place = (record.pathname, record.lineno, record.name)
        began, count = self._windows.get(place, (now, 0))
        held = 0
        if now - began >= self._seconds:
            began, count, held = now, 0, max(0, count - self._most)
        self._windows[place] = (began, count + 1)
        if held:
            _note(record, f" ({held} more like this before)")
        elif count == self._most - 1:
            _note(record, f" (more like this are left out for {self._seconds:.0f} s)")
        return count < self._most


def _note(record: logging.LogRecord, note: str) -> None:
    if isinstance(record.msg, dict):  # structlog's entries
        record.msg = {**record.msg, "flood": note.strip(" ()")}
    else:
        record.msg, record.args = record.getMessage() + note, None


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
