-- Locks the rows that decide what a tenant's calls may hold, in one order everywhere, so that none
-- waits for another that waits for it. Whoever locks only one of them, as the slower ways of each
-- kind of hold do, can't be in the way.
--
-- A row is made where there is none yet: what is not there can't be locked, and two replicas could
-- both hold the first of a budget, and pass it.

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
        GET DIAGNOSTICS locked = ROW_COUNT;
        IF locked < cardinality(budgeted) THEN
            INSERT INTO key_budget_states (tenant_id, key_id)
                SELECT tenant, key FROM unnest(budgeted) AS key ORDER BY key
                ON CONFLICT DO NOTHING;
            PERFORM FROM key_budget_states
                WHERE tenant_id = tenant AND key_id = ANY (budgeted) ORDER BY key_id FOR UPDATE;
        END IF;
    END IF;
    IF of_quota THEN
        PERFORM FROM quota_states WHERE tenant_id = tenant FOR UPDATE;
        IF NOT FOUND THEN
            INSERT INTO quota_states (tenant_id) VALUES (tenant) ON CONFLICT DO NOTHING;
            PERFORM FROM quota_states WHERE tenant_id = tenant FOR UPDATE;
        END IF;
    END IF;
    IF of_credit THEN
        PERFORM FROM wallets WHERE tenant_id = tenant FOR UPDATE;
    END IF;
END
$$
