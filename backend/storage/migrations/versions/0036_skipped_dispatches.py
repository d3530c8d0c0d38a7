"""Dispatches that a person skips"""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_NAME = "ck_platform_dispatches_state"


def upgrade() -> None:
    op.drop_constraint(op.f(_NAME), "platform_dispatches")
    op.create_check_constraint(
        op.f(_NAME),
        "platform_dispatches",
        "state IN ('waiting', 'sent', 'confirmed', 'refused', 'skipped')",
    )


def downgrade() -> None:
    # They were refused before, and hold up what follows again
    op.execute("UPDATE platform_dispatches SET state = 'refused' WHERE state = 'skipped'")
    op.drop_constraint(op.f(_NAME), "platform_dispatches")
    op.create_check_constraint(
        op.f(_NAME),
        "platform_dispatches",
        "state IN ('waiting', 'sent', 'confirmed', 'refused')",
    )
