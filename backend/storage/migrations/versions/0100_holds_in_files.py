"""Install the functions of holds from files that have each of them whole

They do what they did. Their texts were put together from parts and edited by later migrations, so
that what runs could be read in the database alone.
"""

from __future__ import annotations

from alembic import op

from backend.storage.functions import definition

revision = "0100"
down_revision = "0099"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("lock_holds", "move_credit", "settle_calls", "hold_calls"):
        op.get_bind().exec_driver_sql(definition(name, "0100"))
    op.get_bind().exec_driver_sql(definition("settle_and_hold_calls", "0100"))


def downgrade() -> None:
    """Earlier migrations edit the texts of these two; those of the others are the same."""
    for name in ("settle_calls", "hold_calls"):
        op.get_bind().exec_driver_sql(definition(name, "0098"))
