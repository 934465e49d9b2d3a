-- Lines of the ledger that are estimates, lines that take one back, and holds that become one when they expire.
-- The goal's `updated_at` and `lease_holder` get other names, so that every write of a release that does not look at
-- the schema's version fails before it changes anything.

ALTER TABLE goals RENAME COLUMN updated_at TO changed_at;
ALTER TABLE goals RENAME COLUMN lease_holder TO lease_worker;

-- Only a line that takes another back is below zero.
ALTER TABLE turns
    ADD COLUMN is_estimate SMALLINT NOT NULL DEFAULT 0 CHECK (is_estimate = 0 OR is_estimate = 1),
    ADD COLUMN takes_back BIGINT CHECK (takes_back > 0 AND takes_back < number),
    DROP CONSTRAINT turns_tokens_check,
    DROP CONSTRAINT turns_input_tokens_check,
    DROP CONSTRAINT turns_cached_input_tokens_check,
    DROP CONSTRAINT turns_output_tokens_check,
    DROP CONSTRAINT turns_reasoning_tokens_check,
    DROP CONSTRAINT turns_active_microseconds_check,
    DROP CONSTRAINT turns_cost_microunits_check,
    ADD CONSTRAINT turns_not_below_zero CHECK (takes_back IS NOT NULL
        OR tokens >= 0 AND input_tokens >= 0 AND cached_input_tokens >= 0 AND output_tokens >= 0
        AND reasoning_tokens >= 0 AND active_microseconds >= 0 AND cost_microunits >= 0),
    ADD CONSTRAINT turns_taking_back CHECK (takes_back IS NULL
        OR tokens <= 0 AND input_tokens <= 0 AND cached_input_tokens <= 0 AND output_tokens <= 0
        AND reasoning_tokens <= 0 AND active_microseconds <= 0 AND cost_microunits <= 0);
CREATE UNIQUE INDEX turns_taken_back ON turns (goal_id, takes_back) WHERE takes_back IS NOT NULL;
CREATE INDEX turns_estimated ON turns (goal_id, number) WHERE is_estimate = 1;

-- What was held before keeps the rule that it was placed under: its expiry frees it.
ALTER TABLE holds
    ADD COLUMN frees_on_expiry SMALLINT NOT NULL DEFAULT 1 CHECK (frees_on_expiry = 0 OR frees_on_expiry = 1),
    ADD COLUMN ttl_microseconds BIGINT,
    DROP CONSTRAINT holds_state_check,
    DROP CONSTRAINT holds_check,
    ADD CONSTRAINT holds_state_check
        CHECK (state = 'open' OR state = 'settled' OR state = 'estimated' OR state = 'released'),
    ADD CONSTRAINT holds_turn_key_check
        CHECK ((turn_key IS NULL) = (state <> 'settled' AND state <> 'estimated'));
ALTER TABLE holds ALTER COLUMN frees_on_expiry SET DEFAULT 0;
CREATE INDEX holds_counting ON holds (goal_id, expires_at) WHERE state = 'open' AND frees_on_expiry = 0;
CREATE INDEX holds_due ON holds (expires_at) WHERE state = 'open' AND frees_on_expiry = 0;

-- What a goal's holds reserve: those that are open, and expired ones until they are lines of the ledger. Volatile, so
-- that it sees what others committed while its caller waited for the goal's row: a statement's own snapshot is older.
CREATE OR REPLACE FUNCTION telic_held(
    goal TEXT, OUT tokens BIGINT, OUT turns BIGINT, OUT active_microseconds BIGINT, OUT cost_microunits BIGINT
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    SELECT coalesce(sum(h.tokens), 0)::BIGINT, coalesce(sum(h.turns), 0)::BIGINT, coalesce(sum(h.active_microseconds), 0)::BIGINT,
        coalesce(sum(h.cost_microunits), 0)::BIGINT
    INTO tokens, turns, active_microseconds, cost_microunits
    FROM holds AS h WHERE h.goal_id = goal AND h.state = 'open'
        AND (h.expires_at > (SELECT telic_now()) OR h.frees_on_expiry = 0);
END $$;
