"""The log of calls, and of which applications it keeps the bodies"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _time(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    op.create_table(
        "gateway_requests",
        _text("tenant_id"),
        _text("id"),
        _time("time"),
        _text("outcome"),
        sa.Column("status", sa.Integer(), nullable=False),
        _text("protocol"),
        sa.Column("streamed", sa.Boolean(), nullable=False),
        _text("model"),
        _text("application_id"),
        _text("key_id"),
        _text("upstream"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_token_ms", sa.BigInteger()),
        _text("error_code", nullable=True),
        _text("error_detail", nullable=True),
        _text("event_id", nullable=True),
        _text("request_id"),
        _text("answer_id"),
        sa.Column("quantities", postgresql.JSONB(), nullable=False),
        sa.Column("labels", postgresql.JSONB(), nullable=False),
        sa.Column("cost", sa.Numeric()),
        _text("currency", nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_gateway_requests"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], "fk_gateway_requests_tenants", ondelete="CASCADE"
        ),
    )
    op.create_index(
        "ix_gateway_requests_tenant_id_time_id", "gateway_requests", ["tenant_id", "time", "id"]
    )
    # Rows come in the order of time: a few pages of index find those to remove
    op.create_index(
        "ix_gateway_requests_time", "gateway_requests", ["time"], postgresql_using="brin"
    )
    op.create_table(
        "request_bodies",
        _text("tenant_id"),
        _text("id"),
        _text("application_id"),
        _time("time"),
        _time("expires_at"),
        _text("request"),
        _text("answer"),
        sa.Column("shortened", sa.Boolean(), nullable=False),
        sa.Column("redacted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_request_bodies"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], "fk_request_bodies_tenants", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_request_bodies_time", "request_bodies", ["time"], postgresql_using="brin")
    op.create_index("ix_request_bodies_expires_at", "request_bodies", ["expires_at"])
    op.create_index(
        "ix_request_bodies_tenant_id_application_id",
        "request_bodies",
        ["tenant_id", "application_id"],
    )
    op.create_table(
        "body_logging",
        _text("tenant_id"),
        _text("application_id"),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("redacted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "application_id", name="pk_body_logging"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "application_id"],
            ["applications.tenant_id", "applications.id"],
            "fk_body_logging_applications",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    op.drop_table("body_logging")
    op.drop_table("request_bodies")
    op.drop_table("gateway_requests")
