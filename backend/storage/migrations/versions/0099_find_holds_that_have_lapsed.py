"""Find the holds on budgets that have lapsed without reading all"""

from alembic import op

revision = "0099"
down_revision = "0098"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_key_budget_holds_lapses_at", "key_budget_holds", ["lapses_at"])


def downgrade() -> None:
    op.drop_index("ix_key_budget_holds_lapses_at", table_name="key_budget_holds")
