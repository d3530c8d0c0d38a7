"""Settle reservations of credit by their ids alone

Joined with a list of ids, PostgreSQL could read all reservations that the tenant ever made, and did
before it had counted them: each call then settled slower than the one before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0097"
down_revision = "0096"
branch_labels = None
depends_on = None

_JOINED = """\
        UPDATE credit_reservations SET state = 'settled', used = settled.cost, uncovered = 0
            FROM unnest(settled_ids, settled_costs) AS settled (id, cost)
            WHERE credit_reservations.tenant_id = tenant AND credit_reservations.id = settled.id;
"""
_BY_ID = """\
        UPDATE credit_reservations
            SET state = 'settled', used = settled_costs[array_position(settled_ids, id)],
                uncovered = 0
            WHERE tenant_id = tenant AND id = ANY (settled_ids);
"""


def _rewrite_settle_calls(old: str, new: str) -> None:
    definition = op.get_bind().scalar(
        sa.text("SELECT pg_get_functiondef('settle_calls'::regproc::oid)")
    )
    if definition.count(old) != 1:
        raise RuntimeError("settle_calls is another than its migrations made it")
    op.get_bind().exec_driver_sql(definition.replace(old, new))


def upgrade() -> None:
    _rewrite_settle_calls(_JOINED, _BY_ID)


def downgrade() -> None:
    _rewrite_settle_calls(_BY_ID, _JOINED)
