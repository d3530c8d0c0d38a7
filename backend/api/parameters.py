"""Parameters of queries that several operations have, each described once for the API reference.

A filter that is left out lets everything through. Of its values any may hold; all filters must.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Header, Query

from backend.api.example_values import INSTANT, TAIL
from backend_client.types.charges import TimeZone
from backend_client.types.common import Instant
from backend_client.types.journals import JournalFormat
from backend_client.types.usage import Granularity

_SEVERAL = "Repeat it for several, of which any may hold; all if left out."


def several(description: str, *example: object, alias: str | None = None) -> Any:
    """Describe a filter that may be sent several times."""
    return Query(
        alias=alias,
        description=f"{description} {_SEVERAL}",
        examples=[list(example)] if example else None,
    )


def one_of(description: str) -> Any:
    """Describe a filter that may be sent once."""
    return Query(description=f"{description} All if left out.")


UsageStart = Annotated[
    Instant | None,
    Query(
        description="The first instant that counts: RFC 3339 with an offset, on a quarter hour "
        "(UTC). If left out, the start of the current billing period.",
        examples=["2026-03-01T00:00:00Z"],
    ),
]
UsageEnd = Annotated[
    Instant | None,
    Query(
        description="The instant before which it ends: RFC 3339 with an offset, on a quarter hour "
        "(UTC). If left out, all until now is in it.",
        examples=["2026-04-01T00:00:00Z"],
    ),
]
SinceInstant = Annotated[
    Instant | None,
    Query(
        description="Only what happened at this instant or later: RFC 3339 with an offset. "
        "If left out, from the beginning.",
        examples=["2026-03-01T00:00:00Z"],
    ),
]
UntilInstant = Annotated[
    Instant | None,
    Query(
        description="Only what happened before this instant: RFC 3339 with an offset. "
        "If left out, until now.",
        examples=["2026-04-01T00:00:00Z"],
    ),
]
BalanceInstant = Annotated[
    Instant | None,
    Query(
        description="The instant whose balance to return: RFC 3339 with an offset. "
        "If left out, now.",
        examples=[INSTANT],
    ),
]
BucketWidth = Annotated[
    Granularity,
    Query(
        description="How wide the rows are in time. Days and months are those of `time_zone`; "
        "`total` gives one row for the whole range."
    ),
]
Zone = Annotated[
    TimeZone | None,
    Query(
        description="The time zone, by its IANA name, whose days and months are summed. "
        "If left out, the tenant's.",
        examples=["UTC"],
    ),
]
GROUPS = (
    "What to sum by, beside time: a row for each value. Repeat it for several; "
    "if left out, it is summed over all."
)
"""Of ``group_by``, whose values differ from one question to the next."""

Applications = Annotated[
    tuple[str, ...], several("Only of these applications, by id (`app_…`).", f"app_{TAIL}")
]
Keys = Annotated[
    tuple[str, ...], several("Only of calls with these API keys, by id (`key_…`).", f"key_{TAIL}")
]
Models = Annotated[
    tuple[str, ...], several("Only of these models, by name as usage has it.", "your-model")
]
Meters = Annotated[
    tuple[str, ...],
    several("Only of these meters, such as `input_tokens` or one of your own.", "input_tokens"),
]
TableFormat = Annotated[
    Literal["json", "csv"],
    Query(alias="format", description="JSON, or CSV as a file to download."),
]
JournalFileFormat = Annotated[
    JournalFormat,
    Query(
        alias="format",
        description="For which accounting program the file is written; `csv` has columns of your "
        "own choice.",
    ),
]
NamedTenant = Annotated[
    str | None,
    Query(
        alias="tenant",
        description="Only of this customer, by its id (`ten_…`) or slug. If left out, of all.",
        examples=["acme"],
    ),
]
PersonsKeys = Annotated[
    str | None,
    Query(
        max_length=200,
        description="Only keys that this person made or was handed, by the person's id (`usr_…`). "
        "If left out, everybody's.",
        examples=[f"usr_{TAIL}"],
    ),
]
KeySearch = Annotated[
    str | None,
    Query(
        max_length=200,
        description="Part of a key's name in small or capital letters, or the whole id, or the "
        "last four characters of the secret. If left out, all keys.",
        examples=["production"],
    ),
]
FOLLOWING = "For how many seconds to follow before the stream ends; with 0 it looks once."
"""Of ``seconds``, of streams."""
KnownETag = Annotated[
    str | None,
    Header(
        alias="if-none-match",
        description="The `ETag` of the answer that you have. If nothing has changed since, the "
        "answer is 304 without a body; if left out, it is always sent.",
        examples=['W/"42"'],
    ),
]
