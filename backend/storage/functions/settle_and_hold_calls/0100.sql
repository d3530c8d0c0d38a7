-- All that a process has to settle and to hold of a tenant, in one statement and one commit: what calls
-- that have ended leave is there for those that begin.
--
-- The answer has the documents of settle_calls, and after them those of hold_calls.
--
-- Where nothing is held, the tenant's next call does not wait until the disk has the settlement: what a
-- crash of PostgreSQL loses of it leaves the hold, which was flushed before the call was made.

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
    ELSE
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    RETURN outcomes;
END
$$
