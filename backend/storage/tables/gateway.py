"""What the gateway measures."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from backend.storage.tables.common import metadata, time_column

# How models performed in each hour, of all tenants: times of calls by bucket
model_hours = Table(
    "model_hours",
    metadata,
    Column("hour", DateTime(timezone=True), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("answered", BigInteger, nullable=False, server_default=text("0")),
    Column("failed", BigInteger, nullable=False, server_default=text("0")),
    Column("total_counts", ARRAY(BigInteger), nullable=False),
    Column("first_token_counts", ARRAY(BigInteger), nullable=False),
)

# Model providers that the operator set by the API; their keys are sealed, or named
upstreams = Table(
    "upstreams",
    metadata,
    Column("name", Text, primary_key=True),
    Column("terms", JSONB, nullable=False),
    Column("keys", JSONB, nullable=False),
    time_column("changed_at"),
)
