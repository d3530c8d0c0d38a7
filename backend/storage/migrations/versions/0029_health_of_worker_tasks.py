"""When each task of the worker last succeeded, and how often it has failed since"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "worker_tasks",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column(
            "consecutive_failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("succeeded_at", sa.DateTime(timezone=True)),
        sa.Column("failed_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_worker_tasks")),
    )
    op.execute(
        "INSERT INTO worker_tasks (task, failures, failed_at, error)"
        " SELECT task, failures, failed_at, error FROM worker_failures"
    )
    op.drop_table("worker_failures")


def downgrade() -> None:
    op.create_table(
        "worker_failures",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_worker_failures")),
    )
    op.execute(
        "INSERT INTO worker_failures (task, failures, failed_at, error)"
        " SELECT task, failures, failed_at, error FROM worker_tasks"
        " WHERE failures > 0 AND failed_at IS NOT NULL AND error IS NOT NULL"
    )
    op.drop_table("worker_tasks")
