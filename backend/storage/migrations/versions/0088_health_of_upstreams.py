"""How upstreams fare at every process, and which of them take no calls"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0088"
down_revision = "0086"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "upstreams",
        sa.Column("state", sa.Text(), server_default=sa.text("'active'"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_upstreams_state"), "upstreams", "state IN ('active', 'disabled', 'retired')"
    )
    op.create_check_constraint(
        op.f("ck_upstreams_retired_has_no_keys"), "upstreams", "state <> 'retired' OR keys = '[]'"
    )
    op.create_table(
        "upstream_measures",
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("answered", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("first_token_counts", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("last_failure", postgresql.JSONB()),
        sa.PrimaryKeyConstraint("bucket", "upstream", "model", name=op.f("pk_upstream_measures")),
    )
    op.create_table(
        "gateway_processes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("upstreams", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_processes")),
    )


def downgrade() -> None:
    op.drop_table("gateway_processes")
    op.drop_table("upstream_measures")
    # An older Farebox would send calls to them: it knows no upstream that takes none
    op.execute("UPDATE upstreams SET terms = terms || '{\"models\": {}}' WHERE state <> 'active'")
    op.drop_constraint(op.f("ck_upstreams_retired_has_no_keys"), "upstreams")
    op.drop_constraint(op.f("ck_upstreams_state"), "upstreams")
    op.drop_column("upstreams", "state")
