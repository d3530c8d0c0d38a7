CREATE OR REPLACE FUNCTION settle_calls(tenant text, asks jsonb, of_credit boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
AS $function$
DECLARE
    ask jsonb;
    part jsonb;
    outcomes jsonb := '[]';
    plain boolean;
    reserved_tokens bigint;
    reservation credit_reservations%ROWTYPE;
    unused numeric[];
    settled_ids text[] := '{}';
    settled_costs numeric[] := '{}';
    
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
    IF of_credit THEN
        
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
            outcomes := outcomes || '{}'::jsonb;
            CONTINUE;
        END IF;

        SELECT * INTO reservation FROM credit_reservations
            WHERE tenant_id = tenant AND id = ask ->> 'id';
        IF reservation.state = 'settled' THEN
            outcomes := outcomes || '{}'::jsonb;
            CONTINUE;
        END IF;
        
    moment := greatest((ask ->> 'now')::timestamptz, wallet.last_entry_at);
    plain := coalesce(moment < wallet.grants_until, false);
    FOR place IN 1 .. cardinality(ids) LOOP
        plain := plain
            AND (arrears[place] OR free[place] = 0 OR coalesce(moment < ends[place], true));
    END LOOP;

        plain := plain AND coalesce(reservation.state = 'open', false);
        amount := (ask ->> 'credit')::numeric;
        IF plain THEN
            missing := amount;
            taken := '{}';
            unused := '{}';
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
            ), '{}');
        END IF;
        IF plain THEN
            
    balance := 0;
    FOR place IN 1 .. cardinality(ids) LOOP
        balance := balance + held[place] + (-taken[place] - unused[place]);
        IF starts[place] <= moment AND coalesce(moment < ends[place], true)
            AND bound[place] IS NULL THEN
            balance := balance + free[place] + unused[place];
        END IF;
    END LOOP;
    plain := coalesce(balance < wallet.low_balance, false) = (wallet.low_since IS NOT NULL)
        AND coalesce(balance >= wallet.top_up_threshold, true);

        END IF;
        IF NOT plain THEN
            outcomes := outcomes || '{"later": "credit"}'::jsonb;
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
        IF reservation.held <> '{}' THEN
            wallet.last_entry_at := moment;
        END IF;
        settled_ids := settled_ids || reservation.id;
        settled_costs := settled_costs || amount;
        outcomes := outcomes || '{}'::jsonb;
    END LOOP;
    PERFORM move_credit(
        tenant, entry_before, entry_times, entry_grants, entry_sources, entry_targets,
        entry_amounts, entry_causes
    );
    IF cardinality(settled_ids) > 0 THEN
        UPDATE credit_reservations
            SET state = 'settled', used = settled_costs[array_position(settled_ids, id)],
                uncovered = 0
            WHERE tenant_id = tenant AND id = ANY (settled_ids);
    END IF;
    RETURN outcomes;
END
$function$
