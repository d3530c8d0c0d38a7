"""Meters that the catalog declares, and values of those that are not summed"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "catalog_meters",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("aggregation", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("retired", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "aggregation IN ('sum', 'max', 'last', 'unique')",
            name=op.f("ck_catalog_meters_aggregation"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_meters")),
    )
    op.create_table(
        "usage_values",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_count", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "event_count >= 0", name=op.f("ck_usage_values_event_count_not_negative")
        ),
        sa.CheckConstraint(
            "bucket = date_bin('15 minutes', bucket, 'epoch'::timestamptz)",
            name=op.f("ck_usage_values_quarter_hour"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "meter",
            "bucket",
            "application_id",
            "key_id",
            "model",
            "member",
            "quantity",
            "at",
            name=op.f("pk_usage_values"),
        ),
    )


def downgrade() -> None:
    """Values of meters that are not summed are lost; events keep what they have of them."""
    op.drop_table("usage_values")
    op.drop_table("catalog_meters")
