"""States, kinds and audited actions of invoices are spelled as the field's APIs spell them"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_STATES = "state IN ('draft', '{}', 'paid', 'void', 'uncollectible')"


def upgrade() -> None:
    _spell("finalised", "finalized", "finalise", "finalize")


def downgrade() -> None:
    _spell("finalized", "finalised", "finalize", "finalise")


def _spell(old_state: str, state: str, old_action: str, action: str) -> None:
    op.drop_index("ix_invoices_open", table_name="invoices")
    op.drop_constraint(op.f("ck_invoices_state"), "invoices", type_="check")
    _replace("invoices", "state", old_state, state)
    _replace("notifications", "kind", f"invoice.{old_state}", f"invoice.{state}")
    _replace("audit_entries", "action", f"invoice.{old_action}", f"invoice.{action}")
    op.create_check_constraint(op.f("ck_invoices_state"), "invoices", _STATES.format(state))
    op.create_index(
        "ix_invoices_open",
        "invoices",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text(f"state = '{state}'"),
    )


def _replace(table: str, column: str, old: str, new: str) -> None:
    rows = sa.table(table, sa.column(column))
    changed = sa.update(rows).where(rows.c[column] == old).values({column: new})
    op.execute(changed)
