-- Moves prepaid credit between a wallet's accounts: writes the ledger's entries, which are numbered on
-- from the wallet's last, and changes the sums of the grants by just as much. Whoever calls it has
-- locked the wallet, and has checked that what is moved is there.

CREATE OR REPLACE FUNCTION move_credit(
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
