"""Wallets"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# The ledger is append-only, whatever writes to it; it goes only with its tenant.
_FUNCTION = """
CREATE FUNCTION keep_ledger_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM wallets WHERE tenant_id = OLD.tenant_id) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'entry % of the ledger can not be changed', OLD.number
    USING ERRCODE = 'restrict_violation';
END $$
"""

_TRIGGER = """
CREATE TRIGGER keep_ledger_entry BEFORE UPDATE OR DELETE ON ledger_entries
  FOR EACH ROW EXECUTE FUNCTION keep_ledger_entry()
"""


def upgrade() -> None:
    op.create_table(
        "wallets",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("last_entry", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_entry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("grants_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("low_balance", sa.Numeric(), nullable=True),
        sa.Column("low_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("top_up_threshold", sa.Numeric(), nullable=True),
        sa.Column("top_up_amount", sa.Numeric(), nullable=True),
        sa.Column("top_up_daily_ceiling", sa.Numeric(), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(top_up_threshold, top_up_amount, top_up_daily_ceiling) IN (0, 3)",
            name=op.f("ck_wallets_whole_rule"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_wallets_tenants"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_wallets")),
    )
    op.create_table(
        "credit_grants",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("models", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("available", sa.Numeric(), nullable=False),
        sa.Column("reserved", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("used", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("expired", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('promotional', 'paid')", name=op.f("ck_credit_grants_kind")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_credit_grants_amount")),
        sa.CheckConstraint(
            "available + reserved + used + expired + refunded = amount",
            name=op.f("ck_credit_grants_credit_conserves"),
        ),
        sa.CheckConstraint(
            "least(available, reserved, used, expired, refunded) >= 0",
            name=op.f("ck_credit_grants_never_below_zero"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["wallets.tenant_id"],
            name=op.f("fk_credit_grants_wallets"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_credit_grants")),
    )
    op.create_index(
        "ix_credit_grants_expiring",
        "credit_grants",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("available > 0 AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_credit_grants_live",
        "credit_grants",
        ["tenant_id"],
        unique=False,
        postgresql_where=sa.text("available > 0 OR reserved > 0"),
    )
    op.create_table(
        "credit_reservations",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("held", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("used", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("uncovered", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'settled', 'released')", name=op.f("ck_credit_reservations_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["wallets.tenant_id"],
            name=op.f("fk_credit_reservations_wallets"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_credit_reservations")),
    )
    op.create_index(
        "ix_credit_reservations_open",
        "credit_reservations",
        ["lapses_at"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "top_ups",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("automatic_on", sa.Date(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'paid', 'failed')", name=op.f("ck_top_ups_state")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_top_ups_amount")),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["wallets.tenant_id"],
            name=op.f("fk_top_ups_wallets"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_top_ups")),
    )
    op.create_index(
        "uq_top_ups_automatic_pending",
        "top_ups",
        ["tenant_id"],
        unique=True,
        postgresql_where=sa.text("state = 'pending' AND automatic_on IS NOT NULL"),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_ledger_entries_amount")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "grant_id"],
            ["credit_grants.tenant_id", "credit_grants.id"],
            name=op.f("fk_ledger_entries_credit_grants"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "number", name=op.f("pk_ledger_entries")),
    )
    op.create_index("ix_ledger_entries_at", "ledger_entries", ["tenant_id", "at"], unique=False)
    op.create_index(
        "ix_ledger_entries_cause", "ledger_entries", ["tenant_id", "cause"], unique=False
    )
    op.execute(_FUNCTION)
    op.execute(_TRIGGER)


def downgrade() -> None:
    """Lose every wallet with its ledger."""
    for table in ("ledger_entries", "top_ups", "credit_reservations", "credit_grants", "wallets"):
        op.drop_table(table)
    op.execute("DROP FUNCTION keep_ledger_entry")
