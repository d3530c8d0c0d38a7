"""Operators by grant, invitations for one address, prices of a customer's own"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operator_grants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_grants")),
        sa.CheckConstraint(
            "(email IS NULL) = (subject IS NOT NULL) AND (subject IS NULL) = (issuer IS NULL)",
            name=op.f("ck_operator_grants_one_person"),
        ),
    )
    op.create_index(
        "uq_operator_grants_email",
        "operator_grants",
        [sa.text("lower(email)")],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_index(
        "uq_operator_grants_subject",
        "operator_grants",
        ["issuer", "subject"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    # Until now somebody could be made an operator by SQL alone; the next sign-in would end that
    op.execute(
        "INSERT INTO operator_grants (id, issuer, subject)"
        " SELECT 'opg_' || substr(id, 5), issuer, subject FROM users"
        " WHERE is_operator AND issuer <> 'local'"
    )
    op.add_column(
        "users",
        sa.Column("email_verified", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("invitations", sa.Column("email", sa.Text(), nullable=True))
    op.add_column(
        "invitations",
        sa.Column("by_operator", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_index(
        "ix_invitations_email",
        "invitations",
        [sa.text("lower(email)")],
        postgresql_where=sa.text("by_operator AND accepted_at IS NULL AND revoked_at IS NULL"),
    )
    op.add_column("plan_versions", sa.Column("agreed_with", sa.Text(), nullable=True))
    op.add_column("plan_versions", sa.Column("base_version", sa.Integer(), nullable=True))
    op.add_column("plan_versions", sa.Column("own_prices", postgresql.JSONB(), nullable=True))
    op.create_check_constraint(
        op.f("ck_plan_versions_own_prices"),
        "plan_versions",
        "(agreed_with IS NULL) = (base_version IS NULL)"
        " AND (agreed_with IS NULL) = (own_prices IS NULL)",
    )


def downgrade() -> None:
    # A version for one tenant would be on sale to all: back to the one that it was made of
    op.execute(
        "UPDATE subscriptions SET plan_version = base_version FROM plan_versions"
        " WHERE agreed_with IS NOT NULL AND plan_versions.plan_id = subscriptions.plan_id"
        " AND plan_versions.version = subscriptions.plan_version"
    )
    op.execute("DELETE FROM plan_versions WHERE agreed_with IS NOT NULL")
    op.drop_constraint(op.f("ck_plan_versions_own_prices"), "plan_versions")
    for column in ("own_prices", "base_version", "agreed_with"):
        op.drop_column("plan_versions", column)
    # Without the address an open link would be for whoever has it
    op.execute(
        "UPDATE invitations SET revoked_at = now()"
        " WHERE email IS NOT NULL AND accepted_at IS NULL AND revoked_at IS NULL"
    )
    # Nobody would ask for the group any more: who has it would be an operator for good. Who has a
    # grant stays one
    op.execute(
        "UPDATE users SET is_operator = EXISTS (SELECT FROM operator_grants AS granted"
        " WHERE granted.revoked_at IS NULL"
        " AND (granted.issuer = users.issuer AND granted.subject = users.subject"
        " OR users.email_verified AND lower(granted.email) = lower(users.email)))"
        " WHERE issuer <> 'local'"
    )
    op.drop_index("ix_invitations_email", table_name="invitations")
    op.drop_column("invitations", "by_operator")
    op.drop_column("invitations", "email")
    op.drop_column("users", "email_verified")
    op.drop_table("operator_grants")
