"""Rotated keys, limits of keys, invitations"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_LIMITS = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _created() -> sa.Column[object]:
    return sa.Column(
        "created_at",
        sa.DateTime(timezone=True),
        server_default=sa.text("now()"),
        nullable=False,
    )


def _of_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "key_id"],
        ["api_keys.tenant_id", "api_keys.id"],
        name=op.f(f"fk_{table}_api_keys"),
        ondelete="CASCADE",
    )


def upgrade() -> None:
    op.add_column("api_keys", _time("rotated_at", nullable=True))
    for name in _LIMITS:
        op.add_column("api_keys", sa.Column(name, sa.Integer(), nullable=True))
    op.create_table(
        "retired_secrets",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        _time("works_until"),
        _of_key("retired_secrets"),
        sa.PrimaryKeyConstraint("tenant_id", "secret_hash", name=op.f("pk_retired_secrets")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_retired_secrets_secret_hash")),
    )
    op.create_index(
        op.f("ix_retired_secrets_tenant_id_key_id"), "retired_secrets", ["tenant_id", "key_id"]
    )
    # What these hold is true for a minute: not worth a write-ahead log, and a crash may empty them.
    op.create_table(
        "key_windows",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        _time("requests_free_at"),
        _time("tokens_free_at"),
        _of_key("key_windows"),
        sa.PrimaryKeyConstraint("tenant_id", "key_id", name=op.f("pk_key_windows")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "key_calls",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        _time("lost_at"),
        _of_key("key_calls"),
        sa.PrimaryKeyConstraint("tenant_id", "key_id", "call_id", name=op.f("pk_key_calls")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "invitations",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        _created(),
        _time("expires_at"),
        _time("accepted_at", nullable=True),
        sa.Column("accepted_by", sa.Text(), nullable=True),
        _time("revoked_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_invitations_tenants"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_invitations_secret_hash")),
    )


def downgrade() -> None:
    """Lose invitations, limits of keys, and the secrets that still worked beside rotated ones."""
    for table in ("invitations", "key_calls", "key_windows", "retired_secrets"):
        op.drop_table(table)
    for name in (*_LIMITS, "rotated_at"):
        op.drop_column("api_keys", name)
