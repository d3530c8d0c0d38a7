"""Rates of tax, where customers are taxed, and what invoices and credit notes say of it"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tax_rates",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "published_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_rates")),
    )
    op.add_column("billing_profiles", sa.Column("country", sa.Text()))
    op.add_column("billing_profiles", sa.Column("region", sa.Text()))
    op.add_column(
        "billing_profiles",
        sa.Column("business", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("billing_profiles", sa.Column("tax_exemption", sa.Text()))
    op.add_column("invoices", sa.Column("tax_date", sa.Date()))
    op.add_column(
        "invoices",
        sa.Column(
            "tax_notes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
    )
    op.add_column(
        "credit_notes",
        sa.Column(
            "taxes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    """Lose rates of tax, where customers are taxed, and what documents say of either."""
    op.drop_column("credit_notes", "taxes")
    op.drop_column("invoices", "tax_notes")
    op.drop_column("invoices", "tax_date")
    for column in ("tax_exemption", "business", "region", "country"):
        op.drop_column("billing_profiles", column)
    op.drop_table("tax_rates")
