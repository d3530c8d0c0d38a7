"""Holds of calls in one statement: limits, budgets, quotas and credit together"""

from alembic import op

revision = "0073"
down_revision = "0072"
branch_labels = None
depends_on = None

# All functions are volatile, so that each of their queries sees what others committed before the
# locks were got.

# In one order everywhere. Whoever locks only one of these can't be in the way.
_LOCK = """
CREATE FUNCTION lock_holds(
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
    END IF;
    IF of_quota THEN
        PERFORM FROM quota_states WHERE tenant_id = tenant FOR UPDATE;
    END IF;
    IF of_credit THEN
        PERFORM FROM wallets WHERE tenant_id = tenant FOR UPDATE;
    END IF;
END
$$
"""

# The ledger's entries, and the sums of the grants that they move between accounts
_MOVE = """
CREATE FUNCTION move_credit(
    tenant text, after_entry bigint, times timestamptz[], grants text[],
    sources text[], targets text[], amounts numeric[], causes text[]
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF cardinality(grants) = 0 THEN
        RETURN;
    END IF;
    INSERT INTO ledger_entries (tenant_id, number, at, grant_id, source, target, amount, cause)
        SELECT tenant, after_entry + entry.place, entry.at, entry.grant_id, entry.source,
            entry.target, entry.amount, entry.cause
        FROM unnest(times, grants, sources, targets, amounts, causes) WITH ORDINALITY
            AS entry (at, grant_id, source, target, amount, cause, place);
    UPDATE wallets
        SET last_entry = after_entry + cardinality(grants),
            last_entry_at = times[cardinality(times)]
        WHERE tenant_id = tenant;
    UPDATE credit_grants
        SET available = available + moved.to_available,
            reserved = reserved + moved.to_reserved,
            used = used + moved.to_used
        FROM (
            SELECT grant_id,
                coalesce(sum(amount) FILTER (WHERE target = 'available'), 0)
                    - coalesce(sum(amount) FILTER (WHERE source = 'available'), 0) AS to_available,
                coalesce(sum(amount) FILTER (WHERE target = 'reserved'), 0)
                    - coalesce(sum(amount) FILTER (WHERE source = 'reserved'), 0) AS to_reserved,
                coalesce(sum(amount) FILTER (WHERE target = 'used'), 0) AS to_used
            FROM unnest(grants, sources, targets, amounts)
                AS entry (grant_id, source, target, amount)
            GROUP BY grant_id
        ) AS moved
        WHERE credit_grants.tenant_id = tenant AND credit_grants.id = moved.grant_id;
END
$$
"""

_GRANTS = """
    SELECT * INTO wallet FROM wallets WHERE tenant_id = tenant;
    entry_before := coalesce(wallet.last_entry, 0);
    SELECT
        coalesce(array_agg(id ORDER BY place), '{}'),
        coalesce(array_agg(available ORDER BY place), '{}'),
        coalesce(array_agg(reserved ORDER BY place), '{}'),
        coalesce(array_agg(starts_at ORDER BY place), '{}'),
        coalesce(array_agg(expires_at ORDER BY place), '{}'),
        coalesce(array_agg(in_arrears ORDER BY place), '{}'),
        coalesce(array_agg(to_jsonb(models) ORDER BY place), '{}')
        INTO ids, free, held, starts, ends, arrears, bound
        FROM (
            SELECT *, row_number() OVER (
                ORDER BY expires_at NULLS LAST, priority, kind = 'paid', starts_at, id COLLATE "C"
            ) AS place
            FROM credit_grants
            WHERE tenant_id = tenant AND (available > 0 OR reserved > 0)
        ) AS burning;
"""

_WALLET = """
    wallet wallets%ROWTYPE;
    entry_before bigint;
    ids text[];
    free numeric[];
    held numeric[];
    starts timestamptz[];
    ends timestamptz[];
    arrears boolean[];
    bound jsonb[];
    taken numeric[];
    moment timestamptz;
    amount numeric;
    missing numeric;
    balance numeric;
    entry_times timestamptz[] := '{}';
    entry_grants text[] := '{}';
    entry_sources text[] := '{}';
    entry_targets text[] := '{}';
    entry_amounts numeric[] := '{}';
    entry_causes text[] := '{}';
"""

# The wallet is locked by its full path instead where more is to do: expired credit goes, a plan's
# credit comes, the balance becomes low or is to be topped up
_IS_PLAIN = """
    moment := greatest({time}, wallet.last_entry_at);
    plain := coalesce(moment < wallet.grants_until, false);
    FOR place IN 1 .. cardinality(ids) LOOP
        plain := plain
            AND (arrears[place] OR free[place] = 0 OR coalesce(moment < ends[place], true));
    END LOOP;
"""

_BALANCE = """
    balance := 0;
    FOR place IN 1 .. cardinality(ids) LOOP
        balance := balance + held[place] + {change_of_held};
        IF starts[place] <= moment AND coalesce(moment < ends[place], true)
            AND bound[place] IS NULL THEN
            balance := balance + free[place] + {change_of_free};
        END IF;
    END LOOP;
    plain := coalesce(balance < wallet.low_balance, false) = (wallet.low_since IS NOT NULL)
        AND coalesce(balance >= wallet.top_up_threshold, true);
"""

_SETTLE = f"""
CREATE FUNCTION settle_calls(tenant text, asks jsonb, of_credit boolean)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    ask jsonb;
    part jsonb;
    outcomes jsonb := '[]';
    plain boolean;
    reserved_tokens bigint;
    reservation credit_reservations%ROWTYPE;
    unused numeric[];
    settled_ids text[] := '{{}}';
    settled_costs numeric[] := '{{}}';
    {_WALLET}
BEGIN
    IF of_credit THEN
        {_GRANTS}
    END IF;
    FOR ask IN SELECT value FROM jsonb_array_elements(asks) LOOP
        FOR part IN SELECT value FROM jsonb_array_elements(ask -> 'limits') LOOP
            DELETE FROM key_calls
                WHERE tenant_id = tenant AND key_id = part ->> 'key' AND call_id = ask ->> 'id'
                RETURNING tokens INTO reserved_tokens;
            IF FOUND AND part ? 'tokens_per_minute' THEN
                UPDATE key_windows
                    SET tokens_free_at = greatest(tokens_free_at, clock_timestamp())
                        + interval '1 microsecond' * round(
                            60000000.0 * ((ask ->> 'tokens')::bigint - reserved_tokens)
                            / (part ->> 'tokens_per_minute')::bigint
                        )::bigint
                    WHERE tenant_id = tenant AND key_id = part ->> 'key';
            END IF;
        END LOOP;
        IF ask ? 'budget' THEN
            UPDATE key_budget_holds SET amount = (ask ->> 'budget')::numeric
                WHERE tenant_id = tenant AND id = ask ->> 'id';
        END IF;
        IF ask ? 'quota' THEN
            UPDATE quota_holds
                SET prompt_tokens = (ask -> 'quota' ->> 0)::bigint,
                    output_tokens = (ask -> 'quota' ->> 1)::bigint
                WHERE tenant_id = tenant AND id = ask ->> 'id';
        END IF;
        IF NOT ask ? 'credit' THEN
            outcomes := outcomes || '{{}}'::jsonb;
            CONTINUE;
        END IF;

        SELECT * INTO reservation FROM credit_reservations
            WHERE tenant_id = tenant AND id = ask ->> 'id';
        IF reservation.state = 'settled' THEN
            outcomes := outcomes || '{{}}'::jsonb;
            CONTINUE;
        END IF;
        {_IS_PLAIN.format(time="(ask ->> 'now')::timestamptz")}
        plain := plain AND coalesce(reservation.state = 'open', false);
        amount := (ask ->> 'credit')::numeric;
        IF plain THEN
            missing := amount;
            taken := '{{}}';
            unused := '{{}}';
            FOR place IN 1 .. cardinality(ids) LOOP
                unused[place] := coalesce((reservation.held ->> ids[place])::numeric, 0);
                taken[place] := least(missing, unused[place]);
                unused[place] := unused[place] - taken[place];
                missing := missing - taken[place];
            END LOOP;
            -- What was held is among what is there, and is enough
            plain := missing = 0 AND reservation.held <@ coalesce((
                SELECT jsonb_object_agg(id, reservation.held ->> id) FROM unnest(ids) AS id
                WHERE reservation.held ? id
            ), '{{}}');
        END IF;
        IF plain THEN
            {
    _BALANCE.format(
        change_of_held="(-taken[place] - unused[place])", change_of_free="unused[place]"
    )
}
        END IF;
        IF NOT plain THEN
            outcomes := outcomes || '{{"later": "credit"}}'::jsonb;
            CONTINUE;
        END IF;
        FOR place IN 1 .. cardinality(ids) LOOP
            IF taken[place] > 0 THEN
                entry_times := entry_times || moment;
                entry_grants := entry_grants || ids[place];
                entry_sources := entry_sources || 'reserved'::text;
                entry_targets := entry_targets || 'used'::text;
                entry_amounts := entry_amounts || taken[place];
                entry_causes := entry_causes || reservation.id;
            END IF;
            IF unused[place] > 0 THEN
                entry_times := entry_times || moment;
                entry_grants := entry_grants || ids[place];
                entry_sources := entry_sources || 'reserved'::text;
                entry_targets := entry_targets || 'available'::text;
                entry_amounts := entry_amounts || unused[place];
                entry_causes := entry_causes || reservation.id;
            END IF;
            held[place] := held[place] - taken[place] - unused[place];
            free[place] := free[place] + unused[place];
        END LOOP;
        IF reservation.held <> '{{}}' THEN
            wallet.last_entry_at := moment;
        END IF;
        settled_ids := settled_ids || reservation.id;
        settled_costs := settled_costs || amount;
        outcomes := outcomes || '{{}}'::jsonb;
    END LOOP;
    PERFORM move_credit(
        tenant, entry_before, entry_times, entry_grants, entry_sources, entry_targets,
        entry_amounts, entry_causes
    );
    IF cardinality(settled_ids) > 0 THEN
        UPDATE credit_reservations SET state = 'settled', used = settled.cost, uncovered = 0
            FROM unnest(settled_ids, settled_costs) AS settled (id, cost)
            WHERE credit_reservations.tenant_id = tenant AND credit_reservations.id = settled.id;
    END IF;
    RETURN outcomes;
END
$$
"""  # noqa: S608  # of this file's own text

_HOLD = f"""
CREATE FUNCTION hold_calls(
    tenant text, asks jsonb, of_limits boolean, of_quota boolean, of_credit boolean,
    fresh interval, lapse interval, lease interval, prompt_meters text[], output_meters text[]
) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    ask jsonb;
    part jsonb;
    outcomes jsonb := '[]';
    windows jsonb;
    began timestamptz;
    plain boolean;
    requests_at timestamptz;
    tokens_at timestamptz;
    requests_after timestamptz;
    tokens_after timestamptz;
    quota_state quota_states%ROWTYPE;
    held_prompt numeric;
    held_output numeric;
    held_calls bigint;
    prompt bigint;
    output bigint;
    budget_state key_budget_states%ROWTYPE;
    model text;
    held_now jsonb;
    {_WALLET}
BEGIN
    IF of_limits THEN
        DELETE FROM key_calls
            WHERE tenant_id = tenant AND lost_at <= clock_timestamp() AND key_id IN (
                SELECT limits ->> 'key' FROM jsonb_array_elements(asks) AS each (ask)
                CROSS JOIN LATERAL jsonb_array_elements(each.ask -> 'limits') AS limits
            );
    END IF;
    IF of_quota THEN
        SELECT * INTO quota_state FROM quota_states WHERE tenant_id = tenant;
        SELECT coalesce(sum(prompt_tokens), 0), coalesce(sum(output_tokens), 0), count(*)
            INTO held_prompt, held_output, held_calls
            FROM quota_holds
            WHERE tenant_id = tenant AND lapses_at > (asks -> 0 ->> 'at')::timestamptz;
    END IF;
    IF of_credit THEN
        {_GRANTS}
    END IF;
    <<each_ask>>
    FOR ask IN SELECT value FROM jsonb_array_elements(asks) LOOP
        began := (ask ->> 'at')::timestamptz;

        -- First all is checked, and nothing is written: a refused call holds nothing
        windows := '[]';
        FOR part IN SELECT value FROM jsonb_array_elements(ask -> 'limits') LOOP
            moment := clock_timestamp();
            SELECT requests_free_at, tokens_free_at INTO requests_at, tokens_at
                FROM key_windows WHERE tenant_id = tenant AND key_id = part ->> 'key';
            plain := NOT part ? 'concurrent_requests'
                OR (part ->> 'concurrent_requests')::bigint > (
                SELECT count(*) FROM key_calls
                WHERE tenant_id = tenant AND key_id = part ->> 'key' AND lost_at > moment
            );
            requests_after := CASE WHEN part ? 'requests_per_minute' THEN
                greatest(requests_at, moment) + interval '1 microsecond'
                    * round(60000000.0 / (part ->> 'requests_per_minute')::bigint)::bigint
            END;
            tokens_after := CASE WHEN part ? 'tokens_per_minute' THEN
                greatest(tokens_at, moment) + interval '1 microsecond'
                    * round(
                        60000000.0 * (part ->> 'tokens')::bigint
                        / (part ->> 'tokens_per_minute')::bigint
                    )::bigint
            END;
            IF NOT plain
                OR requests_after > moment + interval '1 minute'
                OR (tokens_after > moment + interval '1 minute' AND (part ->> 'tokens')::bigint > 0)
            THEN
                outcomes := outcomes || jsonb_build_object('limited', jsonb_build_object(
                    'key', part ->> 'key', 'concurrent', NOT plain,
                    'window', jsonb_build_array(requests_at, tokens_at, moment)
                ));
                CONTINUE each_ask;
            END IF;
            windows := windows
                || jsonb_build_array(jsonb_build_array(requests_after, tokens_after, moment));
        END LOOP;
        part := ask -> 'budget';
        IF part IS NOT NULL THEN
            SELECT * INTO budget_state FROM key_budget_states
                WHERE tenant_id = tenant AND key_id = part ->> 'key';
            IF NOT FOUND OR budget_state.taken_at IS NULL
                OR budget_state.period_start IS DISTINCT FROM (part ->> 'start')::timestamptz
                OR began < budget_state.taken_at - interval '1 minute'
                OR began >= budget_state.taken_at + fresh THEN
                outcomes := outcomes || '{{"stale": "budget"}}'::jsonb;
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
                outcomes := outcomes || '{{"later": "budget"}}'::jsonb;
                CONTINUE;
            END IF;
        END IF;
        part := ask -> 'quota';
        IF part IS NOT NULL THEN
            IF quota_state.taken_at IS NULL OR began >= quota_state.taken_at + fresh
                OR (began < quota_state.taken_at
                    AND date_bin('15 minutes', began, 'epoch')
                        <> date_bin('15 minutes', quota_state.taken_at, 'epoch')) THEN
                outcomes := outcomes || '{{"stale": "quota"}}'::jsonb;
                CONTINUE;
            END IF;
            prompt := (part ->> 0)::bigint;
            output := (part ->> 1)::bigint;
            IF EXISTS (
                SELECT FROM jsonb_array_elements(quota_state.quotas) AS use (value)
                CROSS JOIN LATERAL (
                    SELECT
                        ((value -> 'quota' -> 'meters') ?| prompt_meters)::int AS of_prompt,
                        ((value -> 'quota' -> 'meters') ?| output_meters)::int AS of_output,
                        ((value -> 'quota' -> 'meters') ? 'requests')::int AS of_requests
                ) AS counts
                WHERE value -> 'quota' ->> 'limit' = 'hard'
                    AND prompt * of_prompt + output * of_output + of_requests
                        > greatest(
                            (value -> 'quota' ->> 'quantity')::numeric
                            - (value ->> 'used')::numeric, 0
                        ) - (
                            held_prompt * of_prompt + held_output * of_output
                            + held_calls * of_requests
                        )
            ) THEN
                outcomes := outcomes || '{{"later": "quota"}}'::jsonb;
                CONTINUE;
            END IF;
        END IF;
        IF ask ? 'credit' THEN
            model := ask -> 'credit' ->> 0;
            amount := (ask -> 'credit' ->> 1)::numeric;
            {_IS_PLAIN.format(time="began")}
            plain := plain AND NOT EXISTS (
                SELECT FROM credit_reservations WHERE tenant_id = tenant AND id = ask ->> 'id'
            );
            missing := amount;
            taken := '{{}}';
            FOR place IN 1 .. cardinality(ids) LOOP
                taken[place] := 0;
                IF starts[place] <= moment AND coalesce(moment < ends[place], true)
                    AND coalesce(bound[place] ? model, true) THEN
                    taken[place] := least(free[place], missing);
                    missing := missing - taken[place];
                END IF;
            END LOOP;
            IF plain AND missing = 0 THEN
                {_BALANCE.format(change_of_held="taken[place]", change_of_free="(-taken[place])")}
            END IF;
            IF NOT plain OR missing > 0 THEN
                outcomes := outcomes || '{{"later": "credit"}}'::jsonb;
                CONTINUE;
            END IF;
        END IF;

        -- All of it is there
        IF jsonb_array_length(windows) > 0 THEN
            FOR place IN 0 .. jsonb_array_length(windows) - 1 LOOP
                part := ask -> 'limits' -> place;
                UPDATE key_windows
                    SET requests_free_at
                            = coalesce((windows -> place ->> 0)::timestamptz, requests_free_at),
                        tokens_free_at
                            = coalesce((windows -> place ->> 1)::timestamptz, tokens_free_at)
                    WHERE tenant_id = tenant AND key_id = part ->> 'key';
                INSERT INTO key_calls (tenant_id, key_id, call_id, tokens, lost_at)
                    VALUES (
                        tenant, part ->> 'key', ask ->> 'id', (part ->> 'tokens')::bigint,
                        clock_timestamp() + lease
                    );
            END LOOP;
        END IF;
        part := ask -> 'budget';
        IF part IS NOT NULL THEN
            INSERT INTO key_budget_holds (tenant_id, id, key_id, amount, made_at, lapses_at)
                VALUES (
                    tenant, ask ->> 'id', part ->> 'key', (part ->> 'cost')::numeric, began,
                    began + lapse
                )
                ON CONFLICT DO NOTHING;
        END IF;
        IF ask ? 'quota' THEN
            INSERT INTO quota_holds (tenant_id, id, prompt_tokens, output_tokens, lapses_at)
                VALUES (tenant, ask ->> 'id', prompt, output, began + lapse);
            held_prompt := held_prompt + prompt;
            held_output := held_output + output;
            held_calls := held_calls + 1;
        END IF;
        IF ask ? 'credit' THEN
            held_now := '{{}}';
            moment := greatest(began, wallet.last_entry_at);
            FOR place IN 1 .. cardinality(ids) LOOP
                IF taken[place] > 0 THEN
                    entry_times := entry_times || moment;
                    entry_grants := entry_grants || ids[place];
                    entry_sources := entry_sources || 'available'::text;
                    entry_targets := entry_targets || 'reserved'::text;
                    entry_amounts := entry_amounts || taken[place];
                    entry_causes := entry_causes || (ask ->> 'id');
                    held_now := held_now || jsonb_build_object(ids[place], taken[place]::text);
                    free[place] := free[place] - taken[place];
                    held[place] := held[place] + taken[place];
                END IF;
            END LOOP;
            IF amount > 0 THEN
                wallet.last_entry_at := moment;
            END IF;
            INSERT INTO credit_reservations (
                tenant_id, id, model, state, held, made_at, lapses_at
            ) VALUES (tenant, ask ->> 'id', model, 'open', held_now, began, moment + lapse);
        END IF;
        outcomes := outcomes || jsonb_build_object('windows', windows);
    END LOOP;
    PERFORM move_credit(
        tenant, entry_before, entry_times, entry_grants, entry_sources, entry_targets,
        entry_amounts, entry_causes
    );
    RETURN outcomes;
END
$$
"""  # noqa: S608

# What calls that have ended leave is there for those that begin
_BOTH = """
CREATE FUNCTION settle_and_hold_calls(
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
    END IF;
    RETURN outcomes;
END
$$
"""


def upgrade() -> None:
    for function in (_LOCK, _MOVE, _SETTLE, _HOLD, _BOTH):
        op.execute(function)


def downgrade() -> None:
    op.execute(
        "DROP FUNCTION settle_and_hold_calls(text, text[], text[], boolean, boolean, jsonb, jsonb,"
        " interval, interval, interval, text[], text[])"
    )
    op.execute(
        "DROP FUNCTION hold_calls(text, jsonb, boolean, boolean, boolean, interval, interval,"
        " interval, text[], text[])"
    )
    op.execute("DROP FUNCTION settle_calls(text, jsonb, boolean)")
    op.execute(
        "DROP FUNCTION move_credit(text, bigint, timestamptz[], text[], text[], text[], numeric[],"
        " text[])"
    )
    op.execute("DROP FUNCTION lock_holds(text, text[], text[], boolean, boolean)")
