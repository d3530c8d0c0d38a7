"""Sessions in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend_client.types.sessions import Session
from portal.features.sessions.rows import device_name, session_rows

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", "Firefox on Linux"),
        ("(Windows NT 10.0) Chrome/140.0 Safari/537.36", "Chrome on Windows"),
        ("(Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140", "Edge on Windows"),
        ("(Macintosh; Intel Mac OS X 10_15) Version/18 Safari/605", "Safari on macOS"),
        ("(iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/140 Safari/604", "Chrome on iPhone"),
        ("(X11; Linux x86_64) HeadlessChrome/156.0 Safari/537.36", "Chrome on Linux"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("x" * 300, "x" * 60),
        (None, "Unknown browser"),
    ],
)
def test_a_browser_is_called_by_its_name(user_agent: str | None, name: str) -> None:
    assert device_name(user_agent) == name


def test_this_session_stands_first() -> None:
    sessions = [
        Session(
            id=f"ses_{number}",
            created_at=NOW - timedelta(hours=number),
            expires_at=NOW + timedelta(hours=1),
            last_used_at=NOW - timedelta(minutes=5) if number else None,
            device=None,
            address="192.0.2.7" if number else None,
            is_current=number == 2,
        )
        for number in range(3)
    ]
    rows = session_rows(sessions, NOW, "Europe/Berlin")
    assert [row.id for row in rows] == ["ses_2", "ses_0", "ses_1"]
    assert (rows[1].address, rows[1].last_used) == ("Unknown", "Never")
    assert "11:00" in rows[0].began
