"""Sessions as the list shows them. Plain functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backend_client.types.sessions import Session as SignIn
from portal.kit.formatting import ago, second

# In this order: most browsers claim to be others too
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_LONGEST = 60


@dataclass(frozen=True)
class SessionRow:
    """A session as the list shows it."""

    id: str
    device: str
    address: str
    began: str
    last_used: str
    is_current: bool


def session_rows(sessions: Sequence[SignIn], now: datetime, time_zone: str) -> list[SessionRow]:
    """The sessions as the list shows them: this one first, then the newest."""
    rows = [
        SessionRow(
            id=session.id,
            device=device_name(session.device),
            address=session.address or "Unknown",
            began=second(session.created_at, time_zone),
            last_used=ago(session.last_used_at, now) if session.last_used_at else "Never",
            is_current=session.is_current,
        )
        for session in sessions
    ]
    return sorted(rows, key=lambda row: not row.is_current)


def device_name(user_agent: str | None) -> str:
    """A browser and its system, from its ``User-Agent``: ``Firefox on Linux``."""
    if not user_agent:
        return "Unknown browser"
    browser = next((name for mark, name in _BROWSERS if re.search(rf"{mark}\w*/", user_agent)), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or user_agent[:_LONGEST]
