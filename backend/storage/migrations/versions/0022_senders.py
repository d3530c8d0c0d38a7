"""Events by who sent them: a customer's never stand in the place of the seller's"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Who sent what is stored was not recorded. The gateway's are known by their source; all others
    # are taken for the operator's, whose identities they had.
    op.add_column(
        "events", sa.Column("sender", sa.Text(), nullable=False, server_default="operator")
    )
    op.execute("UPDATE events SET sender = 'gateway' WHERE source = 'farebox://gateway'")
    _identify("tenant_id, sender, source, id")
    op.add_column("corrections", sa.Column("event_sender", sa.Text()))
    op.add_column(
        "tenants",
        sa.Column("ingest", sa.Boolean(), nullable=False, server_default=sa.text("true")),
    )


def downgrade() -> None:
    """Events of one source and id by several senders become one: the seller's, if there is one."""
    op.drop_column("tenants", "ingest")
    op.drop_column("corrections", "event_sender")
    op.execute(
        """
        DELETE FROM events USING events AS kept
        WHERE (events.tenant_id, events.source, events.id) = (kept.tenant_id, kept.source, kept.id)
          AND array_position(ARRAY['gateway', 'operator', 'tenant'], events.sender)
            > array_position(ARRAY['gateway', 'operator', 'tenant'], kept.sender)
        """
    )
    _identify("tenant_id, source, id")
    op.drop_column("events", "sender")


def _identify(columns: str) -> None:
    op.execute("ALTER TABLE events DROP CONSTRAINT pk_events")
    op.execute(f"ALTER TABLE events ADD CONSTRAINT pk_events PRIMARY KEY ({columns})")
