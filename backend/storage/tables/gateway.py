"""What the gateway measures."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    text,
)
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

# How each tenant's calls went in each quarter hour: times of those that were completed by bucket
call_measures = Table(
    "call_measures",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("bucket", DateTime(timezone=True), primary_key=True),
    Column("application_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("status", Text, primary_key=True),
    Column("cause", Text, primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("total_counts", ARRAY(Integer), nullable=False),
    Column("first_token_counts", ARRAY(Integer), nullable=False),
    # For what is removed when it is old
    Index("ix_call_measures_bucket", "bucket"),
)

# Model providers that the operator set by the API; their keys are sealed, or named
upstreams = Table(
    "upstreams",
    metadata,
    Column("name", Text, primary_key=True),
    Column("terms", JSONB, nullable=False),
    Column("keys", JSONB, nullable=False),
    time_column("changed_at"),
    # Whether calls go to it: active, disabled, or retired, whose keys are gone
    Column("state", Text, nullable=False, server_default=text("'active'")),
    CheckConstraint("state IN ('active', 'disabled', 'retired')", name="state"),
    CheckConstraint("state <> 'retired' OR keys = '[]'", name="retired_has_no_keys"),
)

# How attempts at upstreams went in each five minutes, of all tenants; model is the upstream's own
upstream_measures = Table(
    "upstream_measures",
    metadata,
    Column("bucket", DateTime(timezone=True), primary_key=True),
    Column("upstream", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("answered", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("first_token_counts", ARRAY(Integer), nullable=False),
    Column("last_failure", JSONB),
)

# What each process that calls upstreams finds of their health now; one not seen of late is over
gateway_processes = Table(
    "gateway_processes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    time_column("seen_at"),
    Column("upstreams", JSONB, nullable=False),
)

# How calls went, for some days; refused ones too
gateway_requests = Table(
    "gateway_requests",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    time_column("time"),
    Column("outcome", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("streamed", Boolean, nullable=False),
    Column("model", Text, nullable=False),
    Column("application_id", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("upstream", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("first_token_ms", BigInteger),
    Column("error_code", Text),
    Column("error_detail", Text),
    Column("event_id", Text),
    Column("request_id", Text, nullable=False),
    Column("answer_id", Text, nullable=False),
    Column("quantities", JSONB, nullable=False),
    Column("labels", JSONB, nullable=False),
    Column("cost", Numeric),
    Column("currency", Text),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    Index(None, "tenant_id", "time", "id"),
    Index(None, "time", postgresql_using="brin"),
    # Of a label that few calls have: without it all of a tenant's are read
    Index(
        None,
        "labels",
        postgresql_using="gin",
        postgresql_ops={"labels": "jsonb_path_ops"},
    ),
)

# What was asked and answered, of applications whose bodies are kept
request_bodies = Table(
    "request_bodies",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("application_id", Text, nullable=False),
    time_column("time"),
    time_column("expires_at"),
    Column("request", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("shortened", Boolean, nullable=False),
    Column("redacted", Boolean, nullable=False),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    Index(None, "time", postgresql_using="brin"),
    Index(None, "expires_at"),
    Index(None, "tenant_id", "application_id"),
)

# Of which applications bodies are kept
body_logging = Table(
    "body_logging",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("application_id", Text, primary_key=True),
    Column("days", Integer, nullable=False),
    Column("redacted", Boolean, nullable=False),
    ForeignKeyConstraint(
        ["tenant_id", "application_id"],
        ["applications.tenant_id", "applications.id"],
        ondelete="CASCADE",
    ),
)
