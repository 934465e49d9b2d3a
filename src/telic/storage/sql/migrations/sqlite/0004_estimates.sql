-- Lines of the ledger that are estimates, lines that take one back, and holds that become one when they expire.
-- The goal's `updated_at` and `lease_holder` get other names, so that every write of a release that does not look at
-- the schema's version fails before it changes anything.

ALTER TABLE goals RENAME COLUMN updated_at TO changed_at;
ALTER TABLE goals RENAME COLUMN lease_holder TO lease_worker;

-- Made anew, because SQLite cannot change what a column checks. Only a line that takes another back is below zero.
CREATE TABLE new_turns (
    goal_id TEXT NOT NULL REFERENCES goals (id),
    number INTEGER NOT NULL CHECK (number > 0),
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cached_input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    active_microseconds INTEGER NOT NULL,
    cost_microunits INTEGER NOT NULL,
    hash TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT 'work'
        CHECK (kind = 'work' OR kind = 'judge' OR kind = 'sub_agent' OR kind = 'tool'),
    model TEXT,
    is_estimate INTEGER NOT NULL DEFAULT 0 CHECK (is_estimate = 0 OR is_estimate = 1),
    takes_back INTEGER CHECK (takes_back > 0 AND takes_back < number),
    CHECK (takes_back IS NOT NULL OR tokens >= 0 AND input_tokens >= 0 AND cached_input_tokens >= 0
        AND output_tokens >= 0 AND reasoning_tokens >= 0 AND active_microseconds >= 0 AND cost_microunits >= 0),
    CHECK (takes_back IS NULL OR tokens <= 0 AND input_tokens <= 0 AND cached_input_tokens <= 0
        AND output_tokens <= 0 AND reasoning_tokens <= 0 AND active_microseconds <= 0 AND cost_microunits <= 0),
    PRIMARY KEY (goal_id, number)
) STRICT, WITHOUT ROWID;
INSERT INTO new_turns SELECT goal_id, number, key, at, tokens, input_tokens, cached_input_tokens, output_tokens,
    reasoning_tokens, active_microseconds, cost_microunits, hash, kind, model, 0, NULL FROM turns;
DROP TABLE turns;
ALTER TABLE new_turns RENAME TO turns;
CREATE UNIQUE INDEX turns_key ON turns (goal_id, key);
CREATE UNIQUE INDEX turns_taken_back ON turns (goal_id, takes_back) WHERE takes_back IS NOT NULL;
CREATE INDEX turns_estimated ON turns (goal_id, number) WHERE is_estimate = 1;

-- What was held before keeps the rule that it was placed under: its expiry frees it.
CREATE TABLE new_holds (
    goal_id TEXT NOT NULL REFERENCES goals (id),
    key TEXT NOT NULL,
    tokens INTEGER NOT NULL CHECK (tokens >= 0 AND tokens <= 9007199254740991),
    turns INTEGER NOT NULL CHECK (turns >= 0 AND turns <= 9007199254740991),
    active_microseconds INTEGER NOT NULL
        CHECK (active_microseconds >= 0 AND active_microseconds <= 9007199254740991),
    cost_microunits INTEGER NOT NULL CHECK (cost_microunits >= 0 AND cost_microunits <= 9007199254740991),
    placed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state = 'open' OR state = 'settled' OR state = 'estimated' OR state = 'released'),
    turn_key TEXT CHECK ((turn_key IS NULL) = (state <> 'settled' AND state <> 'estimated')),
    frees_on_expiry INTEGER NOT NULL DEFAULT 0 CHECK (frees_on_expiry = 0 OR frees_on_expiry = 1),
    ttl_microseconds INTEGER,
    PRIMARY KEY (goal_id, key)
) STRICT, WITHOUT ROWID;
INSERT INTO new_holds SELECT goal_id, key, tokens, turns, active_microseconds, cost_microunits, placed_at, expires_at,
    state, turn_key, 1, NULL FROM holds;
DROP TABLE holds;
ALTER TABLE new_holds RENAME TO holds;
CREATE INDEX holds_open ON holds (goal_id, expires_at) WHERE state = 'open';
CREATE INDEX holds_counting ON holds (goal_id, expires_at) WHERE state = 'open' AND frees_on_expiry = 0;
CREATE INDEX holds_due ON holds (expires_at) WHERE state = 'open' AND frees_on_expiry = 0;
