"""Which upstream served: on events, in the key of the rollups, and what an import compares"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_KEYS = {
    "rollups": "tenant_id, bucket, application_id, key_id, model, UPSTREAM meter, labels",
    "daily_rollups": "tenant_id, day, application_id, key_id, model, UPSTREAM meter, labels",
}
_ADD_UP = """
CREATE TEMPORARY TABLE added_up ON COMMIT DROP AS
SELECT KEY, sum(quantity) AS quantity, sum(event_count)::bigint AS event_count
FROM TABLE_NAME GROUP BY KEY
"""
_FILL = """
INSERT INTO TABLE_NAME (KEY, quantity, event_count)
SELECT KEY, quantity, event_count FROM added_up
"""


def upgrade() -> None:
    # Who served what is stored was not recorded: it names no upstream
    for table in ("events", *_KEYS):
        op.add_column(table, sa.Column("upstream", sa.Text(), nullable=False, server_default=""))
    for table, key in _KEYS.items():
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT pk_{table}")
        _identify(table, key.replace("UPSTREAM", "upstream,"))
    op.add_column(
        "reconciliations",
        sa.Column(
            "upstreams",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            server_default=sa.text("'[]'::jsonb"),
        ),
    )


def downgrade() -> None:
    """Lose who served which usage; rollups that differ in nothing else are added up."""
    op.drop_column("reconciliations", "upstreams")
    for table, with_upstream in _KEYS.items():
        key = with_upstream.replace("UPSTREAM ", "")
        op.execute(_ADD_UP.replace("KEY", key).replace("TABLE_NAME", table))
        op.execute(f"TRUNCATE {table}")
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT pk_{table}")
        op.drop_column(table, "upstream")
        op.execute(_FILL.replace("KEY", key).replace("TABLE_NAME", table))
        _identify(table, key)
        op.execute("DROP TABLE added_up")
    op.drop_column("events", "upstream")


def _identify(table: str, key: str) -> None:
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({key})")
