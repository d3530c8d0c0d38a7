"""A cheaper index of when events came in, and how many were counted"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_events_tenant_id_received_at", table_name="events")
    op.create_index(
        "ix_events_received_at",
        "events",
        ["received_at"],
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 256, "autosummarize": True},
    )
    op.create_table(
        "counted_totals",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("new", sa.BigInteger(), nullable=False),
        sa.Column("known", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_counted_totals")),
    )


def downgrade() -> None:
    """Lose how many events were counted so far."""
    op.drop_table("counted_totals")
    op.drop_index("ix_events_received_at", table_name="events")
    op.create_index("ix_events_tenant_id_received_at", "events", ["tenant_id", "received_at"])
