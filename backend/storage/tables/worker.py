"""Unexpected failures of the worker's tasks."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from backend.storage.tables.common import metadata, time_column

worker_failures = Table(
    "worker_failures",
    metadata,
    Column("task", Text, primary_key=True),
    Column("failures", BigInteger, nullable=False),
    # The last one
    time_column("failed_at"),
    Column("error", Text, nullable=False),
)
