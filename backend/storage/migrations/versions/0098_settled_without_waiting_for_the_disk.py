"""Settle calls without waiting until the disk has them, while their tenant's next call waits

A settlement that a crash of PostgreSQL loses leaves the hold as it was, which was flushed before
the call was made: more is held than was used, never less. Holds of limits lapse within a minute or
two, those of budgets and quotas go when the event is counted, and a reservation of credit is
settled by that event when it lapses. What holds something is flushed, as before, and all that was
settled before it with it.
"""

from __future__ import annotations

from alembic import op

revision = "0098"
down_revision = "0097"
branch_labels = None
depends_on = None

_BOTH = """
CREATE OR REPLACE FUNCTION settle_and_hold_calls(
    tenant text, limited text[], budgeted text[], of_quota boolean, of_credit boolean,
    settled jsonb, begun jsonb,
    fresh interval, lapse interval, lease interval, prompt_meters text[], output_meters text[]
) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    outcomes jsonb := '[]';
BEGIN
    PERFORM lock_holds(tenant, limited, budgeted, of_quota, of_credit);
    IF settled <> '[]' THEN
        outcomes := settle_calls(tenant, settled, of_credit);
    END IF;
    IF begun <> '[]' THEN
        outcomes := outcomes || hold_calls(
            tenant, begun, cardinality(limited) > 0, of_quota, of_credit, fresh, lapse, lease,
            prompt_meters, output_meters
        );
{otherwise}    END IF;
    RETURN outcomes;
END
$$
"""
_UNFLUSHED = """\
    ELSE
        PERFORM set_config('synchronous_commit', 'off', true);
"""


def upgrade() -> None:
    op.execute(_BOTH.format(otherwise=_UNFLUSHED))


def downgrade() -> None:
    op.execute(_BOTH.format(otherwise=""))
