"""Whether tax fell on credit as it was sold"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "credit_grants",
        sa.Column("taxed_at_sale", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("credit_grants", "taxed_at_sale")
