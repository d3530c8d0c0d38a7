"""Tenants, people, keys and the audit log."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from backend.storage.tables.common import created_column, metadata, time_column

tenants = Table(
    "tenants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("time_zone", Text, nullable=False, server_default="UTC"),
    Column("currency", Text, nullable=False, server_default="USD"),
    # Whether its own credentials may send events; the gateway and the operator always may
    Column("ingest", Boolean, nullable=False, server_default=text("true")),
    Column("is_sample", Boolean, nullable=False, server_default=text("false")),
    created_column(),
)

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("email", Text),
    Column("name", Text, nullable=False),
    Column("is_operator", Boolean, nullable=False, server_default=text("false")),
    created_column(),
    UniqueConstraint("issuer", "subject"),
)

members = Table(
    "members",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("role", Text, nullable=False),
    created_column(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
    Index(None, "user_id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    created_column(),
    time_column("expires_at"),
    ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    Index(None, "expires_at"),
)

applications = Table(
    "applications",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    created_column(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    UniqueConstraint("tenant_id", "name"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("application_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("prefix", Text, nullable=False),
    Column("last_four", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("models", ARRAY(Text)),
    Column("created_by", Text),
    created_column(),
    time_column("expires_at", nullable=True),
    time_column("revoked_at", nullable=True),
    time_column("last_used_at", nullable=True),
    time_column("rotated_at", nullable=True),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("concurrent_requests", Integer),
    ForeignKeyConstraint(
        ["tenant_id", "application_id"],
        ["applications.tenant_id", "applications.id"],
        ondelete="CASCADE",
    ),
)

retired_secrets = Table(
    "retired_secrets",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("secret_hash", LargeBinary, primary_key=True),
    Column("key_id", Text, nullable=False),
    time_column("works_until"),
    ForeignKeyConstraint(
        ["tenant_id", "key_id"], ["api_keys.tenant_id", "api_keys.id"], ondelete="CASCADE"
    ),
    UniqueConstraint("secret_hash"),
    Index(None, "tenant_id", "key_id"),
)
"""Earlier secrets of rotated API keys, as long as they work."""

key_windows = Table(
    "key_windows",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    time_column("requests_free_at"),
    time_column("tokens_free_at"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    prefixes=["UNLOGGED"],
)
"""When all that a limited key has reserved is free again; see ``backend.gateway.limits``.

The key is empty for limits of all calls of a tenant's plan together.
"""

key_calls = Table(
    "key_calls",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("call_id", Text, primary_key=True),
    Column("tokens", BigInteger, nullable=False),
    time_column("lost_at"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    prefixes=["UNLOGGED"],
)
"""Calls of a limited key that are under way; lost at ``lost_at`` unless the gateway renews them."""

invitations = Table(
    "invitations",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    created_column(),
    time_column("expires_at"),
    time_column("accepted_at", nullable=True),
    Column("accepted_by", Text),
    time_column("revoked_at", nullable=True),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

operator_keys = Table(
    "operator_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("prefix", Text, nullable=False),
    Column("last_four", Text, nullable=False),
    created_column(),
    time_column("revoked_at", nullable=True),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    created_column(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("target_id", Text, nullable=False),
    created_column(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)
