"""How calls to models went, as measured at the gateway."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from pydantic import Field

from backend_client.types.common import Answer, Instant
from backend_client.types.usage import Granularity


class CallStatus(StrEnum):
    """How a call ended.

    ``aborted``: its caller left. ``refused``: for the caller's own fault, or by a limit.
    ``failed``: by the provider, or by a fault of the gateway's.
    """

    COMPLETED = "completed"
    ABORTED = "aborted"
    FAILED = "failed"
    REFUSED = "refused"


class CallDimension(StrEnum):
    """What calls can be grouped by, beside time."""

    APPLICATION = "application"
    KEY = "key"
    MODEL = "model"
    STATUS = "status"
    CAUSE = "cause"


class CallsQuery(TypedDict, total=False):
    """Which calls to count, and how: as for usage.

    ``start`` is the billing period's if left out, ``end`` (exclusive) now; both are on quarter
    hours (UTC). Days and months are those of ``time_zone``, or else of the tenant's. Of several
    values of a field any may hold.
    """

    start: datetime | None
    end: datetime | None
    granularity: Granularity
    time_zone: str | None
    group_by: Iterable[CallDimension]
    application: Sequence[str]
    key: Sequence[str]
    model: Sequence[str]
    status: Iterable[CallStatus]
    cause: Sequence[str]


class Percentiles(Answer):
    """Seconds that 50, 95 and 99 of 100 calls were done within; each within a quarter of the true.

    They come of a histogram whose bounds are a quarter apart, from 50 ms to 5 minutes: rows of it
    add up exactly, and so the percentiles of a month are as near as those of an hour.
    """

    p50: float = Field(description="Half of the calls took no longer than this, in seconds.")
    p95: float = Field(description="95 of 100 calls took no longer than this, in seconds.")
    p99: float = Field(description="99 of 100 calls took no longer than this, in seconds.")


class CallsRow(Answer):
    """Calls that began in one bucket. A dimension that was not grouped by is null.

    A call without a key, or that was refused before its application or model was looked at, has an
    empty one. ``seconds`` are those of calls that were completed, until the answer's end;
    ``first_token_seconds`` those of streamed ones, until the first token. Null if there were none.
    """

    start: Instant
    application: str | None = None
    key: str | None = None
    model: str | None = None
    status: CallStatus | None = None
    cause: str | None = Field(None, description="The code of an error, or the name of a limit")
    calls: int
    seconds: Percentiles | None
    first_token_seconds: Percentiles | None


class CallsReport(Answer):
    """Rows ordered by start, then dimensions."""

    start: Instant
    end: Instant
    granularity: Granularity
    time_zone: str
    rows: list[CallsRow]
