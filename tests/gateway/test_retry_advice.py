"""When a provider says to come again, and what of it the caller is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.gateway.attempts.refusals import retry_seconds
from backend.gateway.errors import UpstreamFailed
from backend.gateway.protocols.routes import error_headers

pytestmark = pytest.mark.fast

NOW = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "900"}, 600),
        ({"retry-after": "1e99"}, 600),
        ({"retry-after": "Mon, 30 Nov 2026 12:00:42 GMT"}, 42),
        ({"retry-after": "Monday, 30-Nov-26 12:00:42 GMT"}, 42),
        ({"retry-after": "Mon Nov 30 12:00:42 2026"}, 42),
        ({"retry-after": "Mon, 30 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "Tue, 01 Dec 2026 12:00:00 GMT"}, 600),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
    ],
    ids=str,
)
def test_the_advice_is_read_in_all_its_forms(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_seconds(headers, NOW) == seconds


@given(st.text())
def test_no_header_breaks_a_call(text: str) -> None:
    seconds = retry_seconds({"retry-after": text, "retry-after-ms": text}, NOW)
    assert seconds is None or 0 <= seconds <= 600


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (UpstreamFailed("x"), {}),
        (UpstreamFailed("x", retry_after_seconds=9), {"retry-after": "9"}),
        (UpstreamFailed("x", retry_after_seconds=0), {"retry-after": "1"}),
        (UpstreamFailed("x", may_pass=False), {"x-should-retry": "false"}),
    ],
    ids=["no advice", "advice", "at once", "what no retry mends"],
)
def test_a_failure_says_whether_and_when_to_come_again(
    error: UpstreamFailed, headers: dict[str, str]
) -> None:
    assert error_headers(error) == headers
