"""Read a time as people, programs and databases write it: the one way for all of Farebox."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_WRITTEN: Final = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[Tt ](?P<minute>\d\d:\d\d)(?::(?P<second>\d\d)(?P<fraction>\.\d+)?)?"
    r"(?: ?(?P<zone>[Zz]|UTC|GMT|[+-]\d\d(?::?[0-5]\d)?|[+-]00:?00 UTC))?",
    re.ASCII,
)
_BLANK_FOR_PLUS: Final = re.compile(r".*[T ]\d\d:\d\d[^ ]* \d\d:?\d\d", re.ASCII)
_EXAMPLE: Final = "such as 2026-01-02T03:04:05Z"
_LONGEST: Final = 64
_LEAP_SECOND: Final = "60"


def read_instant(text: str) -> datetime:
    """Return the moment that ``text`` names, with the offset that it is written with.

    RFC 3339, and what databases write where it means the same: a space for the ``T``, an offset
    without minutes or without colon, ``UTC`` or ``GMT`` for ``Z``. Digits beyond the microsecond
    are cut, never rounded, so that no time moves into the next second, day or billing period; a
    leap second is the last microsecond of its minute.

    Raises ``ValueError`` with a sentence for a person: also for a time without an offset, and for
    a zone's name, such as ``EST``, which means several offsets.
    """
    if (  # what Python reads by itself as RFC 3339 means it, in a third of the time
        len(text) > 19
        and text[7] == "-"
        and text[10] == "T"
        and text[19] in "Z.+-"
        and (text[-1] == "Z" or (text[-6] in "+-" and text[-3] == ":"))
    ):
        try:
            return datetime.fromisoformat(text)  # cuts after six digits
        except ValueError:
            pass  # the slower way says what is wrong with it
    written = _WRITTEN.fullmatch(text) if len(text) <= _LONGEST else None
    if written is None:
        raise ValueError(_why_not(text))
    day, minute, second, fraction, zone = written.groups()
    if zone is None:
        raise ValueError("has no offset from UTC: end it with Z, or with one such as +02:00")
    if second == _LEAP_SECOND:
        second, fraction = "59", ".999999"
    try:
        local = datetime.fromisoformat(f"{day}T{minute}:{second or '00'}{(fraction or '')[:7]}")
        return local.replace(tzinfo=_offset(zone))
    except ValueError:
        raise ValueError(f"is no time of the calendar {_EXAMPLE}") from None


def _why_not(text: str) -> str:
    if len(text) <= _LONGEST and _BLANK_FOR_PLUS.fullmatch(text):
        return f"is no time {_EXAMPLE}; in an address, the + of an offset is written %2B"
    return f"is no time with an offset {_EXAMPLE}"


def _offset(zone: str) -> timezone:
    if zone[0] not in "+-":
        return UTC
    digits = zone.removesuffix(" UTC").replace(":", "")
    offset = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5] or 0))
    return timezone(-offset if zone[0] == "-" else offset)
