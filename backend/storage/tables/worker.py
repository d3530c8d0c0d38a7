"""The worker's tasks, as every worker has them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text, text

from backend.storage.tables.common import metadata, time_column

worker_tasks = Table(
    "worker_tasks",
    metadata,
    Column("task", Text, primary_key=True),
    # Faults that ended it, after which it was started again
    Column("failures", BigInteger, nullable=False),
    Column("consecutive_failures", BigInteger, nullable=False, server_default=text("0")),
    time_column("succeeded_at", nullable=True),
    # The last failure, of whatever kind
    time_column("failed_at", nullable=True),
    Column("error", Text),
)
