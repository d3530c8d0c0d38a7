"""Tenants, people, keys and the audit log."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Numeric,
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
    # Where its test clock stands; null for a tenant that lives in real time, which all customers do
    time_column("clock_at", nullable=True),
    created_column(),
    CheckConstraint("clock_at IS NULL OR is_sample", name="clocks_are_of_samples"),
)

test_clocks = Table(
    "test_clocks",
    metadata,
    # No foreign key: the row outlives the tenant, as its invoices do, of which nobody is reminded
    Column("tenant_id", Text, primary_key=True),
    Column("state", Text, nullable=False, server_default=text("'ready'")),
    # To where it is being advanced
    time_column("target_at", nullable=True),
    # By stream of usage, the last message there when that was asked for: it is counted first
    Column("awaited", JSONB, nullable=False, server_default=text("'{}'")),
    Column("problem", Text),
    created_column(),
    CheckConstraint("state IN ('ready', 'advancing', 'failed')", name="state"),
    CheckConstraint("(state = 'ready') = (target_at IS NULL)", name="target_of_advance"),
)

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("email", Text),
    # Whether the identity provider vouches for the address
    Column("email_verified", Boolean, nullable=False, server_default=text("false")),
    Column("name", Text, nullable=False),
    # What the latest sign-in said; ``operator_grants`` are beside it
    Column("is_operator", Boolean, nullable=False, server_default=text("false")),
    created_column(),
    UniqueConstraint("issuer", "subject"),
)

operator_grants = Table(
    "operator_grants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text),
    Column("issuer", Text),
    Column("subject", Text),
    created_column(),
    time_column("revoked_at", nullable=True),
    CheckConstraint(
        "(email IS NULL) = (subject IS NOT NULL) AND (subject IS NULL) = (issuer IS NULL)",
        name="one_person",
    ),
    Index(
        "uq_operator_grants_email",
        text("lower(email)"),
        unique=True,
        postgresql_where=text("revoked_at IS NULL"),
    ),
    Index(
        "uq_operator_grants_subject",
        "issuer",
        "subject",
        unique=True,
        postgresql_where=text("revoked_at IS NULL"),
    ),
)
"""Who is an operator whatever their sign-in says: by a verified address, or by subject."""

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
    Column("id", Text, nullable=False, unique=True),
    Column("user_id", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    # As the portal saw them
    Column("device", Text),
    Column("address", Text),
    created_column(),
    time_column("expires_at"),
    time_column("last_used_at", nullable=True),
    # Whose portal an operator looks at, and until when
    Column("viewing_tenant_id", Text),
    time_column("viewing_until", nullable=True),
    ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(
        ["viewing_tenant_id"],
        ["tenants.id"],
        name="fk_sessions_viewing_tenants",
        ondelete="SET NULL",
    ),
    CheckConstraint("viewing_tenant_id IS NULL OR viewing_until IS NOT NULL", name="viewing_ends"),
    Index(None, "expires_at"),
    Index(None, "user_id"),
)

used_id_tokens = Table(
    "used_id_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    time_column("expires_at"),
    Index(None, "expires_at"),
)
"""Identity providers' tokens that began a session, until nobody could use them any longer."""

applications = Table(
    "applications",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    created_column(),
    time_column("archived_at", nullable=True),
    # Of all its keys' calls together
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("concurrent_requests", Integer),
    Column("model_limits", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("budget_amount", Numeric),
    Column("budget_period", Text),
    Column("budget_limit", Text),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    UniqueConstraint("tenant_id", "name"),
    CheckConstraint(
        "num_nulls(budget_amount, budget_period, budget_limit) IN (0, 3)", name="whole_budget"
    ),
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
    time_column("disabled_at", nullable=True),
    time_column("last_used_at", nullable=True),
    time_column("rotated_at", nullable=True),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("concurrent_requests", Integer),
    Column("model_limits", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("budget_amount", Numeric),
    Column("budget_period", Text),
    Column("budget_limit", Text),
    # The networks that it is taken from; null for any
    Column("addresses", ARRAY(Text)),
    # The origins of web pages that it is taken from; null for those of the installation
    Column("origins", ARRAY(Text)),
    # Its application's, and no person's
    Column("service_account", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint(
        "num_nulls(budget_amount, budget_period, budget_limit) IN (0, 3)", name="whole_budget"
    ),
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

The key is empty for limits of all calls of a tenant's plan together, and an application's id for
the application's; for limits on models, both have more behind them.
"""

key_calls = Table(
    "key_calls",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("call_id", Text, primary_key=True),
    Column("tokens", BigInteger, nullable=False),
    time_column("lost_at"),
    ForeignKeyConstraint(
        ["tenant_id", "key_id"],
        ["key_windows.tenant_id", "key_windows.key_id"],
        ondelete="CASCADE",
    ),
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
    # Who alone can accept it; null for whoever has the link
    Column("email", Text),
    Column("created_by", Text, nullable=False),
    Column("by_operator", Boolean, nullable=False, server_default=text("false")),
    created_column(),
    time_column("expires_at"),
    time_column("accepted_at", nullable=True),
    Column("accepted_by", Text),
    time_column("revoked_at", nullable=True),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    Index(
        "ix_invitations_email",
        text("lower(email)"),
        postgresql_where=text("by_operator AND accepted_at IS NULL AND revoked_at IS NULL"),
    ),
)

operator_keys = Table(
    "operator_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("prefix", Text, nullable=False),
    Column("last_four", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    created_column(),
    time_column("expires_at", nullable=True),
    time_column("revoked_at", nullable=True),
    time_column("last_used_at", nullable=True),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("address", Text),
    Column("request_id", Text),
    created_column(),
    Index(None, "id"),
)
"""Who did what. The tenant is empty for what concerns none, and may have been deleted since."""

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
