"""Contracts that renew, and the plan that follows one"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_AMENDMENTS = "contract_amendments"
_MORE = "ck_contract_amendments_more"
_SAYS = "ck_contract_amendments_says_something"


def upgrade() -> None:
    op.add_column("contracts", sa.Column("followed_at", sa.DateTime(timezone=True)))
    op.add_column(_AMENDMENTS, sa.Column("renews", sa.Boolean()))
    op.drop_constraint(op.f(_MORE), _AMENDMENTS)
    op.create_check_constraint(op.f(_MORE), _AMENDMENTS, "more >= 0")
    op.create_check_constraint(op.f(_SAYS), _AMENDMENTS, "more > 0 OR renews IS NOT NULL")


def downgrade() -> None:
    # What only says that a contract renews has no place before
    op.execute(sa.text("DELETE FROM contract_amendments WHERE more = 0"))
    op.drop_constraint(op.f(_SAYS), _AMENDMENTS)
    op.drop_constraint(op.f(_MORE), _AMENDMENTS)
    op.create_check_constraint(op.f(_MORE), _AMENDMENTS, "more > 0")
    op.drop_column(_AMENDMENTS, "renews")
    op.drop_column("contracts", "followed_at")
