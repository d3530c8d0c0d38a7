"""How pages ask whether usage has changed since they last looked."""

from __future__ import annotations

from datetime import datetime


def start_of_month(now: datetime) -> datetime:
    """The first instant of ``now``'s month, in its own time zone."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def etag(version: int | None) -> str | None:
    """The ETag of a usage report of that version."""
    return None if version is None else f'W/"{version}"'
