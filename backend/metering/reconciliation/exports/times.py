"""Days and times as files write them, beside RFC 3339."""

from __future__ import annotations

from datetime import date, datetime

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports.parsing import Export, instant

_UTC = " UTC"


def day_of_text(
    export: Export, where: str, given: str, *, date_format: str | None = None, until: str = ""
) -> date:
    """Return the day that a text names, or that has the time which it names.

    A time without an offset is in the export's time zone; ``UTC`` after it is an offset too, as
    BigQuery writes it. ``date_format`` is as ``strftime`` has it. ``until`` is the end of what
    began then. Raises ``UnreadableExport``.
    """
    day = None if date_format is not None else _date(given)
    if day is not None:
        # A date without a time is a day of the export's own time zone; its noon is surely on it.
        noon = instant(where, f"{day.isoformat()}T12:00:00+00:00").replace(tzinfo=export.zone)
        return export.day_of(where, noon, None)
    start = _moment(export, where, given, date_format)
    end = _moment(export, where, until, date_format) if until else None
    return export.day_of(where, start, end)


def _date(given: str) -> date | None:
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None


def _moment(export: Export, where: str, given: str, date_format: str | None) -> datetime:
    if date_format is not None:
        try:
            moment = datetime.strptime(given, date_format)  # noqa: DTZ007  the zone follows
        except ValueError:
            detail = f"{given[:60]!r} is not written as {date_format}"
            raise UnreadableExport(where, detail) from None
    else:
        text = given.strip()
        text = f"{text.removesuffix(_UTC)}+00:00" if text.endswith(_UTC) else text
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            detail = f"{given[:60]!r} is not a time; say how it is written in date_format"
            raise UnreadableExport(where, detail) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=export.zone)
    return instant(where, moment.isoformat())
