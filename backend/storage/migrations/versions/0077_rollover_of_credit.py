"""Credit that is carried on by a percentage when its term ends"""

import sqlalchemy as sa
from alembic import op

revision = "0077"
down_revision = "0076"
branch_labels = None
depends_on = None

_WHOLE = "num_nonnulls(rollover_percent, rollover_months) IN (0, 2)"


def upgrade() -> None:
    op.add_column("credit_grants", sa.Column("rollover_percent", sa.Numeric(), nullable=True))
    op.add_column("credit_grants", sa.Column("rollover_months", sa.Integer(), nullable=True))
    op.add_column("credit_grants", sa.Column("rolled_over", sa.Numeric(), nullable=True))
    op.create_check_constraint(op.f("ck_credit_grants_whole_rollover"), "credit_grants", _WHOLE)


def downgrade() -> None:
    """What was agreed to be carried on is lost; what was carried on already stays."""
    op.drop_constraint(op.f("ck_credit_grants_whole_rollover"), "credit_grants", type_="check")
    op.drop_column("credit_grants", "rolled_over")
    op.drop_column("credit_grants", "rollover_months")
    op.drop_column("credit_grants", "rollover_percent")
