"""The latest forecasts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, ForeignKeyConstraint, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from backend.storage.tables.common import metadata

forecasts = Table(
    "forecasts",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("usage_version", BigInteger, nullable=False),
    Column("computed_at", DateTime(timezone=True), nullable=False),
    Column("document", JSONB, nullable=False),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)
