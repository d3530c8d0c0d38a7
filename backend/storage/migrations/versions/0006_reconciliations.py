"""Imports of providers' exports, and what differs from what was metered"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text()),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("matched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("matched", sa.BigInteger(), nullable=False),
        sa.Column("billed", sa.Numeric()),
        sa.Column("expected", sa.Numeric()),
        sa.Column("totals", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_reconciliations_days_in_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliations")),
        sa.UniqueConstraint("content_hash", name=op.f("uq_reconciliations_content_hash")),
    )
    op.create_table(
        "provider_entries",
        sa.Column("reconciliation_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric()),
        sa.Column("amount", sa.Numeric()),
        sa.ForeignKeyConstraint(
            ["reconciliation_id"],
            ["reconciliations.id"],
            name=op.f("fk_provider_entries_reconciliations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "reconciliation_id", "day", "model", "meter", name=op.f("pk_provider_entries")
        ),
    )
    op.create_table(
        "discrepancies",
        sa.Column("reconciliation_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider", sa.Numeric(), nullable=False),
        sa.Column("metered", sa.Numeric()),
        sa.Column("difference", sa.Numeric(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "notes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status IN ('open', 'explained', 'accepted')",
            name=op.f("ck_discrepancies_known_status"),
        ),
        sa.ForeignKeyConstraint(
            ["reconciliation_id"],
            ["reconciliations.id"],
            name=op.f("fk_discrepancies_reconciliations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("reconciliation_id", "id", name=op.f("pk_discrepancies")),
        sa.UniqueConstraint(
            "reconciliation_id",
            "day",
            "model",
            "meter",
            "kind",
            name=op.f("uq_discrepancies_reconciliation_id_day_model_meter_kind"),
        ),
    )


def downgrade() -> None:
    """Lose every reconciliation, and what was said of its discrepancies."""
    op.drop_table("discrepancies")
    op.drop_table("provider_entries")
    op.drop_table("reconciliations")
