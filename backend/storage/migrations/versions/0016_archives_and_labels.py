"""Which archives were restored, and by whom; and since when usage is told apart as it is"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "event_archives",
        sa.Column(
            "archived_by",
            sa.Text(),
            server_default=sa.text("'command-line'"),
            nullable=False,
        ),
    )
    op.add_column("event_archives", sa.Column("restored_at", sa.DateTime(timezone=True)))
    op.add_column("event_archives", sa.Column("restored_by", sa.Text()))
    op.drop_constraint(op.f("pk_event_archives"), "event_archives", type_="primary")
    op.create_primary_key(
        op.f("pk_event_archives"), "event_archives", ["tenant_id", "start_at", "file"]
    )
    op.create_index(op.f("ix_event_archives_sha256"), "event_archives", ["sha256"])
    op.add_column("usage_versions", sa.Column("labels_changed_at", sa.DateTime(timezone=True)))
    # Labels that were withdrawn left no trace: whoever has any may have had others.
    op.execute(
        "UPDATE usage_versions SET labels_changed_at = now()"
        " WHERE tenant_id IN (SELECT tenant_id FROM declared_labels)"
    )


def downgrade() -> None:
    """Lose who archived and restored what, and the archives whose events are back in the table.

    The primary key refuses it while a day has two files that were not restored: restore all but
    one of them first.
    """
    op.execute("DELETE FROM event_archives WHERE restored_at IS NOT NULL")
    op.drop_column("usage_versions", "labels_changed_at")
    op.drop_index(op.f("ix_event_archives_sha256"), "event_archives")
    op.drop_constraint(op.f("pk_event_archives"), "event_archives", type_="primary")
    op.create_primary_key(op.f("pk_event_archives"), "event_archives", ["tenant_id", "start_at"])
    op.drop_column("event_archives", "restored_by")
    op.drop_column("event_archives", "restored_at")
    op.drop_column("event_archives", "archived_by")
