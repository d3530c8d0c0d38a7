"""What providers say against what was metered: drift of tokens. The operator's, no tenant's."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, DateTime, Index, Numeric, Table, Text, func

from backend.storage.tables.common import metadata
from backend.storage.tables.metering import events

token_drift = Table(
    "token_drift",
    metadata,
    Column("day", Date, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("meter", Text, primary_key=True),
    Column("reported", Numeric, nullable=False),
    Column("counted", Numeric, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("computed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# Few events are counted here beside what was reported; a day's drift is computed from those alone.
Index("ix_events_counted_time", events.c.time, postgresql_where=events.c.counted.is_not(None))
