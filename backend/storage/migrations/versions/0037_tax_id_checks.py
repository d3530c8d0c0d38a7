"""What the service for VAT ids answers of customers' ids"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tax_id_checks",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("tax_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("consultation", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "tax_id", name=op.f("pk_tax_id_checks")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], ondelete="CASCADE", name="fk_tax_id_checks_tenants"
        ),
        sa.CheckConstraint(
            "outcome IN ('valid', 'invalid', 'unavailable')", name=op.f("ck_tax_id_checks_outcome")
        ),
    )


def downgrade() -> None:
    op.drop_table("tax_id_checks")
