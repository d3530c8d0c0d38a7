-- Holds the most that calls of a tenant can use, each call all or nothing: of limits of requests and
-- tokens a minute and of calls at a time, of budgets, of hard quotas, and of prepaid credit. Each is
-- decided in turn, as if it had come alone, with what the calls before it in the group hold.
--
-- An ask: {"id", "at", "limits": [{"key", "tokens", "requests_per_minute"?, "tokens_per_minute"?,
-- "concurrent_requests"?}], "budget"?: [{"key", "cost", "amount", "hard", "start", "end"}], "quota"?:
-- [prompt tokens, output tokens], "credit"?: [model, cost]}. The answer has a document for each:
--   {"windows": [[requests free at, tokens free at, now], ..]}  it is held
--   {"limited": {"key", "concurrent", "window"}}                the limit that refuses it
--   {"stale": "budget" | "quota"}    what is used was read too long ago: read it anew, and ask again
--   {"later": "budget" | "quota" | "credit"}    there is not enough, or more is to do than to hold: the
--     way of that kind of hold decides, which also says why in words
--
-- The caller has locked all by lock_holds. Volatile, as the others are: each of their queries sees
-- what others committed before the locks were got.

CREATE OR REPLACE FUNCTION hold_calls(
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
BEGIN
    IF of_limits THEN
        -- Calls of a process that was killed: nobody renews their lease
        DELETE FROM key_calls
            WHERE tenant_id = tenant AND lost_at <= clock_timestamp() AND key_id IN (
                SELECT limits ->> 'key' FROM jsonb_array_elements(asks) AS each (ask)
                CROSS JOIN LATERAL jsonb_array_elements(each.ask -> 'limits') AS limits
            );
    END IF;
    IF of_quota THEN
        -- What was used of the quotas a moment ago, and what calls under way hold beside it
        SELECT * INTO quota_state FROM quota_states WHERE tenant_id = tenant;
        SELECT coalesce(sum(prompt_tokens), 0), coalesce(sum(output_tokens), 0), count(*)
            INTO held_prompt, held_output, held_calls
            FROM quota_holds
            WHERE tenant_id = tenant AND lapses_at > (asks -> 0 ->> 'at')::timestamptz;
    END IF;
    IF of_credit THEN
        -- The wallet and its grants in the order in which they burn, once for all the calls. What
        -- calls of this group take is followed in these arrays, and written at the end
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
    END IF;
    <<each_ask>>
    FOR ask IN SELECT value FROM jsonb_array_elements(asks) LOOP
        began := (ask ->> 'at')::timestamptz;

        -- First all is checked, and nothing is written: a refused call holds nothing.
        -- A limit a minute is a bucket that is known by when it will be empty (GCRA): a call moves
        -- that on by its share of the minute, and is refused if it came to lie more than a minute
        -- ahead
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
        IF ask ? 'budget' THEN
            -- A process of an earlier version, while replicas are replaced, asks for one budget
            IF jsonb_typeof(ask -> 'budget') = 'object' THEN
                ask := jsonb_set(ask, '{budget}', jsonb_build_array(ask -> 'budget'));
            END IF;
            FOR part IN SELECT value FROM jsonb_array_elements(ask -> 'budget') LOOP
                SELECT * INTO budget_state FROM key_budget_states
                    WHERE tenant_id = tenant AND key_id = part ->> 'key';
                -- What is used was read at most a moment ago. Of another period it says nothing, nor
                -- to a call that began long before
                IF NOT FOUND OR budget_state.taken_at IS NULL
                    OR budget_state.period_start IS DISTINCT FROM (part ->> 'start')::timestamptz
                    OR began < budget_state.taken_at - interval '1 minute'
                    OR began >= budget_state.taken_at + fresh THEN
                    outcomes := outcomes || '{"stale": "budget"}'::jsonb;
                    CONTINUE each_ask;
                END IF;
                -- A soft budget refuses nothing; its hold shows what is under way
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
                    CONTINUE each_ask;
                END IF;
            END LOOP;
        END IF;
        part := ask -> 'quota';
        IF part IS NOT NULL THEN
            -- As of budgets. A call of before is as good while both are in one quarter hour, by which
            -- usage is summed
            IF quota_state.taken_at IS NULL OR began >= quota_state.taken_at + fresh
                OR (began < quota_state.taken_at
                    AND date_bin('15 minutes', began, 'epoch')
                        <> date_bin('15 minutes', quota_state.taken_at, 'epoch')) THEN
                outcomes := outcomes || '{"stale": "quota"}'::jsonb;
                CONTINUE;
            END IF;
            prompt := (part ->> 0)::bigint;
            output := (part ->> 1)::bigint;
            -- A quota counts the meters that it names: of a call under way, its prompt and its
            -- longest answer stand for all meters of either
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
                outcomes := outcomes || '{"later": "quota"}'::jsonb;
                CONTINUE;
            END IF;
        END IF;
        IF ask ? 'credit' THEN
            model := ask -> 'credit' ->> 0;
            amount := (ask -> 'credit' ->> 1)::numeric;
            -- Plain is what needs no more than a move between accounts. More is to do where a
            -- plan's credit comes, or credit of a grant has expired: the wallet's own way does it
            moment := greatest(began, wallet.last_entry_at);
            plain := coalesce(moment < wallet.grants_until, false);
            FOR place IN 1 .. cardinality(ids) LOOP
                plain := plain
                    AND (arrears[place] OR free[place] = 0 OR coalesce(moment < ends[place], true));
            END LOOP;
            -- One that was asked for before, whose answer was lost, is looked at by its own way
            plain := plain AND NOT EXISTS (
                SELECT FROM credit_reservations WHERE tenant_id = tenant AND id = ask ->> 'id'
            );
            missing := amount;
            taken := '{}';
            FOR place IN 1 .. cardinality(ids) LOOP
                taken[place] := 0;
                -- A grant may be for some models alone
                IF starts[place] <= moment AND coalesce(moment < ends[place], true)
                    AND coalesce(bound[place] ? model, true) THEN
                    taken[place] := least(free[place], missing);
                    missing := missing - taken[place];
                END IF;
            END LOOP;
            IF plain AND missing = 0 THEN
                -- Nor is it plain where the balance becomes low by it, or no longer is, or is to be
                -- topped up: somebody is to be told
                balance := 0;
                FOR place IN 1 .. cardinality(ids) LOOP
                    balance := balance + held[place] + taken[place];
                    IF starts[place] <= moment AND coalesce(moment < ends[place], true)
                        AND bound[place] IS NULL THEN
                        balance := balance + free[place] + (-taken[place]);
                    END IF;
                END LOOP;
                plain := coalesce(balance < wallet.low_balance, false) = (wallet.low_since IS NOT NULL)
                    AND coalesce(balance >= wallet.top_up_threshold, true);
            END IF;
            IF NOT plain OR missing > 0 THEN
                outcomes := outcomes || '{"later": "credit"}'::jsonb;
                CONTINUE;
            END IF;
        END IF;

        -- All of it is there, and is written
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
        IF ask ? 'budget' THEN
            INSERT INTO key_budget_holds (tenant_id, id, key_id, amount, made_at, lapses_at)
                SELECT
                    tenant, ask ->> 'id', value ->> 'key', (value ->> 'cost')::numeric, began,
                    began + lapse
                FROM jsonb_array_elements(ask -> 'budget')
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
            held_now := '{}';
            -- Entries of a ledger go forward in time
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
