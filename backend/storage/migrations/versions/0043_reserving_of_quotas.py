"""Reserve of hard quotas in one statement"""

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


# Volatile, so that each of its queries sees what others committed before it got the lock
_RESERVE = """
CREATE FUNCTION reserve_quota(
    tenant text, call_id text, prompt bigint, output bigint, at_time timestamptz,
    fresh interval, lapse interval, prompt_meters text[], output_meters text[]
) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    state quota_states%ROWTYPE;
    held_prompt numeric;
    held_output numeric;
    held_calls bigint;
BEGIN
    SELECT * INTO state FROM quota_states WHERE tenant_id = tenant FOR UPDATE;
    IF NOT FOUND OR state.taken_at IS NULL OR at_time >= state.taken_at + fresh
        OR (at_time < state.taken_at
            AND date_bin('15 minutes', at_time, 'epoch')
                <> date_bin('15 minutes', state.taken_at, 'epoch')) THEN
        RETURN NULL;
    END IF;
    SELECT coalesce(sum(prompt_tokens), 0), coalesce(sum(output_tokens), 0), count(*)
        INTO held_prompt, held_output, held_calls
        FROM quota_holds WHERE tenant_id = tenant AND lapses_at > at_time;
    IF EXISTS (
        SELECT FROM jsonb_array_elements(state.quotas) AS use (value)
        CROSS JOIN LATERAL (
            SELECT
                ((value -> 'quota' -> 'meters') ?| prompt_meters)::int AS of_prompt,
                ((value -> 'quota' -> 'meters') ?| output_meters)::int AS of_output,
                ((value -> 'quota' -> 'meters') ? 'requests')::int AS of_requests
        ) AS counts
        WHERE value -> 'quota' ->> 'limit' = 'hard'
            AND prompt * of_prompt + output * of_output + of_requests
                > greatest(
                    (value -> 'quota' ->> 'quantity')::numeric - (value ->> 'used')::numeric, 0
                ) - (held_prompt * of_prompt + held_output * of_output + held_calls * of_requests)
    ) THEN
        RETURN jsonb_build_object(
            'quotas', state.quotas, 'held', jsonb_build_array(held_prompt, held_output, held_calls)
        );
    END IF;
    INSERT INTO quota_holds (tenant_id, id, prompt_tokens, output_tokens, lapses_at)
        VALUES (tenant, call_id, prompt, output, at_time + lapse);
    RETURN '{}';
END
$$
"""


def upgrade() -> None:
    op.execute(_RESERVE)


def downgrade() -> None:
    op.execute(
        "DROP FUNCTION reserve_quota(text, text, bigint, bigint, timestamptz, interval, interval,"
        " text[], text[])"
    )
