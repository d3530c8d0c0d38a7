"""Corrections of events, and declared labels in the rollups' key"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KEY = ["tenant_id", "bucket", "application_id", "key_id", "model", "meter"]


def upgrade() -> None:
    op.add_column(
        "events",
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("events", sa.Column("corrected_at", sa.DateTime(timezone=True)))
    op.create_index("ix_events_tenant_id_received_at", "events", ["tenant_id", "received_at"])
    op.create_table(
        "corrections",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text())),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True)),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text())),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text())),
        sa.CheckConstraint(
            "(action = 'amend') = (data IS NOT NULL)", name=op.f("ck_corrections_amend_has_data")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_corrections")),
    )
    op.create_index(
        "ix_corrections_tenant_id_event_source_event_id",
        "corrections",
        ["tenant_id", "event_source", "event_id"],
    )
    op.create_index(
        "ix_corrections_pending",
        "corrections",
        ["tenant_id"],
        postgresql_where=sa.text("applied_at IS NULL"),
    )
    op.create_table(
        "declared_labels",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
            name=op.f("fk_declared_labels_tenants"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "label", name=op.f("pk_declared_labels")),
    )
    op.add_column(
        "rollups",
        sa.Column(
            "labels",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.drop_constraint("pk_rollups", "rollups")
    op.create_primary_key("pk_rollups", "rollups", [*_KEY, "labels"])


def downgrade() -> None:
    """Lose corrections, declared labels and the split of rollups by label: their sums are kept."""
    op.execute(
        """
        CREATE TEMPORARY TABLE summed_rollups ON COMMIT DROP AS
        SELECT tenant_id, bucket, application_id, key_id, model, meter,
               sum(quantity) AS quantity, sum(event_count) AS event_count
        FROM rollups GROUP BY 1, 2, 3, 4, 5, 6
        """
    )
    op.execute("DELETE FROM rollups")
    op.drop_constraint("pk_rollups", "rollups")
    op.drop_column("rollups", "labels")
    op.create_primary_key("pk_rollups", "rollups", _KEY)
    op.execute("INSERT INTO rollups SELECT * FROM summed_rollups")
    op.drop_table("declared_labels")
    op.drop_table("corrections")
    op.drop_index("ix_events_tenant_id_received_at", "events")
    op.drop_column("events", "corrected_at")
    op.drop_column("events", "voided")
