"""Credit of plans that are billed after use pays the bill of its own period"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "credit_grants",
        sa.Column("in_arrears", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )


def downgrade() -> None:
    """Lose which grants pay in arrears: they are spent as any other."""
    op.drop_column("credit_grants", "in_arrears")
