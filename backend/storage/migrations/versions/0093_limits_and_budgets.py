"""Limits of applications and on models, and budgets of applications and of labels' values

A call may have several budgets then.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0093"
down_revision = "0092"
branch_labels = None
depends_on = None

_LIMITS = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")

# What of ``hold_calls`` is another with several budgets; one that a program of before asks for is
# an object
_ONE_IS_CHECKED = """\
        part := ask -> 'budget';
        IF part IS NOT NULL THEN
            SELECT * INTO budget_state FROM key_budget_states
                WHERE tenant_id = tenant AND key_id = part ->> 'key';
            IF NOT FOUND OR budget_state.taken_at IS NULL
                OR budget_state.period_start IS DISTINCT FROM (part ->> 'start')::timestamptz
                OR began < budget_state.taken_at - interval '1 minute'
                OR began >= budget_state.taken_at + fresh THEN
                outcomes := outcomes || '{"stale": "budget"}'::jsonb;
                CONTINUE;
            END IF;
            IF (part ->> 'hard')::boolean
                AND (part ->> 'cost')::numeric
                    > (part ->> 'amount')::numeric - budget_state.used - (
                    SELECT coalesce(sum(holds.amount), 0) FROM key_budget_holds AS holds
                    WHERE holds.tenant_id = tenant AND holds.key_id = part ->> 'key'
                        AND holds.made_at >= (part ->> 'start')::timestamptz
                        AND holds.made_at < (part ->> 'end')::timestamptz
                        AND holds.lapses_at > began
                ) THEN
                outcomes := outcomes || '{"later": "budget"}'::jsonb;
                CONTINUE;
            END IF;
        END IF;
        part := ask -> 'quota';
"""
_ALL_ARE_CHECKED = (
    _ONE_IS_CHECKED.replace(
        """\
        part := ask -> 'budget';
        IF part IS NOT NULL THEN
""",
        """\
        IF ask ? 'budget' THEN
            IF jsonb_typeof(ask -> 'budget') = 'object' THEN
                ask := jsonb_set(ask, '{budget}', jsonb_build_array(ask -> 'budget'));
            END IF;
            FOR part IN SELECT value FROM jsonb_array_elements(ask -> 'budget') LOOP
""",
    )
    .replace("                CONTINUE;\n", "                CONTINUE each_ask;\n")
    .replace(
        """\
            END IF;
        END IF;
        part := ask -> 'quota';
""",
        """\
            END IF;
            END LOOP;
        END IF;
        part := ask -> 'quota';
""",
    )
)
_ONE_IS_HELD = """\
        part := ask -> 'budget';
        IF part IS NOT NULL THEN
            INSERT INTO key_budget_holds (tenant_id, id, key_id, amount, made_at, lapses_at)
                VALUES (
                    tenant, ask ->> 'id', part ->> 'key', (part ->> 'cost')::numeric, began,
                    began + lapse
                )
                ON CONFLICT DO NOTHING;
        END IF;
"""
_ALL_ARE_HELD = """\
        IF ask ? 'budget' THEN
            INSERT INTO key_budget_holds (tenant_id, id, key_id, amount, made_at, lapses_at)
                SELECT
                    tenant, ask ->> 'id', value ->> 'key', (value ->> 'cost')::numeric, began,
                    began + lapse
                FROM jsonb_array_elements(ask -> 'budget')
                ON CONFLICT DO NOTHING;
        END IF;
"""


def _rewrite_hold_calls(*changes: tuple[str, str]) -> None:
    definition = op.get_bind().scalar(
        sa.text("SELECT pg_get_functiondef('hold_calls'::regproc::oid)")
    )
    for old, new in changes:
        if definition.count(old) != 1:
            raise RuntimeError("hold_calls is another than its migrations made it")
        definition = definition.replace(old, new)
    op.get_bind().exec_driver_sql(definition)


def upgrade() -> None:
    for name in _LIMITS:
        op.add_column("applications", sa.Column(name, sa.Integer()))
    for table in ("applications", "api_keys"):
        op.add_column(
            table,
            sa.Column(
                "model_limits", JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")
            ),
        )
    for name, kind in (
        ("budget_amount", sa.Numeric()),
        ("budget_period", sa.Text()),
        ("budget_limit", sa.Text()),
    ):
        op.add_column("applications", sa.Column(name, kind))
    op.create_check_constraint(
        op.f("ck_applications_whole_budget"),
        "applications",
        "num_nulls(budget_amount, budget_period, budget_limit) IN (0, 3)",
    )
    op.create_table(
        "label_budgets",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("budget_amount", sa.Numeric(), nullable=False),
        sa.Column("budget_period", sa.Text(), nullable=False),
        sa.Column("budget_limit", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_label_budgets"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "label"],
            ["declared_labels.tenant_id", "declared_labels.label"],
            "fk_label_budgets_declared_labels",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], "fk_label_budgets_tenants", ondelete="CASCADE"
        ),
        sa.UniqueConstraint(
            "tenant_id", "label", "value", name="uq_label_budgets_tenant_id_label_value"
        ),
    )
    op.drop_constraint("pk_key_budget_holds", "key_budget_holds")
    op.create_primary_key("pk_key_budget_holds", "key_budget_holds", ["tenant_id", "id", "key_id"])
    _rewrite_hold_calls((_ONE_IS_CHECKED, _ALL_ARE_CHECKED), (_ONE_IS_HELD, _ALL_ARE_HELD))


def downgrade() -> None:
    """The limits and the budgets are lost, with what calls under way hold of the budgets."""
    _rewrite_hold_calls((_ALL_ARE_CHECKED, _ONE_IS_CHECKED), (_ALL_ARE_HELD, _ONE_IS_HELD))
    # Their holds go with them
    op.execute(
        "DELETE FROM key_budget_states WHERE NOT EXISTS (SELECT FROM api_keys WHERE"
        " api_keys.tenant_id = key_budget_states.tenant_id"
        " AND api_keys.id = key_budget_states.key_id)"
    )
    op.drop_constraint("pk_key_budget_holds", "key_budget_holds")
    op.create_primary_key("pk_key_budget_holds", "key_budget_holds", ["tenant_id", "id"])
    op.drop_table("label_budgets")
    op.drop_constraint(op.f("ck_applications_whole_budget"), "applications")
    for name in ("budget_limit", "budget_period", "budget_amount"):
        op.drop_column("applications", name)
    for table in ("api_keys", "applications"):
        op.drop_column(table, "model_limits")
    for name in reversed(_LIMITS):
        op.drop_column("applications", name)
