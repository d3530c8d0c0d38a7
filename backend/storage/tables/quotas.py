"""What calls under way hold of hard quotas."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from backend.storage.tables.common import metadata, time_column

# What these two hold is true for as long as a call: not worth a write-ahead log.
quota_states = Table(
    "quota_states",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    time_column("taken_at", nullable=True),
    Column("quotas", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    prefixes=["UNLOGGED"],
)

quota_holds = Table(
    "quota_holds",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    time_column("lapses_at"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    prefixes=["UNLOGGED"],
)
