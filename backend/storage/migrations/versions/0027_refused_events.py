"""Refused events: how many, why, and a sample of them, by tenant and day"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "refused_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text()),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("field", sa.Text()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("event_count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sample_id", sa.Text()),
        sa.Column("sample_source", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_refused_events"),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
            name="fk_refused_events_tenants",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_refused_events_tenant_id_day", "refused_events", ["tenant_id", "day"])
    op.create_index("ix_refused_events_day", "refused_events", ["day"])


def downgrade() -> None:
    op.drop_table("refused_events")
