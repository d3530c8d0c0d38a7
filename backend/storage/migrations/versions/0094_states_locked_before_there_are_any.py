"""Lock what is used of budgets and quotas even where nothing was read of it yet

A statement that came while the row was being made found no row to lock, and the row when it looked
again: two replicas could hold the first of a budget at once, and pass it.
"""

from __future__ import annotations

from alembic import op

revision = "0094"
down_revision = "0093"
branch_labels = None
depends_on = None

_LOCK = """
CREATE OR REPLACE FUNCTION lock_holds(
    tenant text, limited text[], budgeted text[], of_quota boolean, of_credit boolean
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    locked integer;
BEGIN
    IF cardinality(limited) > 0 THEN
        PERFORM FROM key_windows
            WHERE tenant_id = tenant AND key_id = ANY (limited) ORDER BY key_id FOR UPDATE;
        GET DIAGNOSTICS locked = ROW_COUNT;
        IF locked < cardinality(limited) THEN
            INSERT INTO key_windows (tenant_id, key_id, requests_free_at, tokens_free_at)
                SELECT tenant, key, clock_timestamp(), clock_timestamp()
                FROM unnest(limited) AS key ORDER BY key
                ON CONFLICT DO NOTHING;
            PERFORM FROM key_windows
                WHERE tenant_id = tenant AND key_id = ANY (limited) ORDER BY key_id FOR UPDATE;
        END IF;
    END IF;
    IF cardinality(budgeted) > 0 THEN
        PERFORM FROM key_budget_states
            WHERE tenant_id = tenant AND key_id = ANY (budgeted) ORDER BY key_id FOR UPDATE;
{budgets}    END IF;
    IF of_quota THEN
        PERFORM FROM quota_states WHERE tenant_id = tenant FOR UPDATE;
{quotas}    END IF;
    IF of_credit THEN
        PERFORM FROM wallets WHERE tenant_id = tenant FOR UPDATE;
    END IF;
END
$$
"""

_BUDGETS = """\
        GET DIAGNOSTICS locked = ROW_COUNT;
        IF locked < cardinality(budgeted) THEN
            INSERT INTO key_budget_states (tenant_id, key_id)
                SELECT tenant, key FROM unnest(budgeted) AS key ORDER BY key
                ON CONFLICT DO NOTHING;
            PERFORM FROM key_budget_states
                WHERE tenant_id = tenant AND key_id = ANY (budgeted) ORDER BY key_id FOR UPDATE;
        END IF;
"""

_QUOTAS = """\
        IF NOT FOUND THEN
            INSERT INTO quota_states (tenant_id) VALUES (tenant) ON CONFLICT DO NOTHING;
            PERFORM FROM quota_states WHERE tenant_id = tenant FOR UPDATE;
        END IF;
"""


def upgrade() -> None:
    op.execute(_LOCK.format(budgets=_BUDGETS, quotas=_QUOTAS))


def downgrade() -> None:
    op.execute(_LOCK.format(budgets="", quotas=""))
