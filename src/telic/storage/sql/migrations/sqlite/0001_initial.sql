-- Times are microseconds since the epoch in UTC; money is in micro-units of the host's currency.
-- States are checked by OR chains: a list of literals after IN makes UPDATE … RETURNING three times slower.

CREATE TABLE goals (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    text TEXT NOT NULL,
    criteria TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status = 'active' OR status = 'paused' OR status = 'completed' OR status = 'cleared'),
    reason TEXT CHECK ((reason IS NULL) = (status = 'active')),
    note TEXT,
    revision INTEGER NOT NULL CHECK (revision > 0),
    token_budget INTEGER CHECK (token_budget > 0 AND token_budget <= 9007199254740991),
    turn_budget INTEGER CHECK (turn_budget > 0 AND turn_budget <= 9007199254740991),
    active_microseconds_budget INTEGER
        CHECK (active_microseconds_budget > 0 AND active_microseconds_budget <= 9007199254740991),
    cost_microunits_budget INTEGER
        CHECK (cost_microunits_budget > 0 AND cost_microunits_budget <= 9007199254740991),
    turns_used INTEGER NOT NULL CHECK (turns_used >= 0 AND turns_used <= 9007199254740991),
    tokens_used INTEGER NOT NULL CHECK (tokens_used >= 0 AND tokens_used <= 9007199254740991),
    input_tokens_used INTEGER NOT NULL
        CHECK (input_tokens_used >= 0 AND input_tokens_used <= 9007199254740991),
    cached_input_tokens_used INTEGER NOT NULL
        CHECK (cached_input_tokens_used >= 0 AND cached_input_tokens_used <= 9007199254740991),
    output_tokens_used INTEGER NOT NULL
        CHECK (output_tokens_used >= 0 AND output_tokens_used <= 9007199254740991),
    reasoning_tokens_used INTEGER NOT NULL
        CHECK (reasoning_tokens_used >= 0 AND reasoning_tokens_used <= 9007199254740991),
    active_microseconds_used INTEGER NOT NULL
        CHECK (active_microseconds_used >= 0 AND active_microseconds_used <= 9007199254740991),
    cost_microunits_used INTEGER NOT NULL
        CHECK (cost_microunits_used >= 0 AND cost_microunits_used <= 9007199254740991),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL CHECK (updated_at >= created_at),
    ended_at INTEGER
        CHECK ((ended_at IS NULL) = (status = 'active' OR status = 'paused')),
    creation_key TEXT NOT NULL,
    event_count INTEGER NOT NULL,
    event_hash TEXT NOT NULL,
    turn_hash TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX goals_single_active ON goals (scope) WHERE status = 'active';
CREATE UNIQUE INDEX goals_creation_key ON goals (scope, creation_key);
CREATE INDEX goals_unfinished ON goals (scope) WHERE ended_at IS NULL;
CREATE INDEX goals_by_scope ON goals (scope, sequence);
CREATE INDEX goals_by_status ON goals (status, sequence);

CREATE TABLE turns (
    goal_id TEXT NOT NULL REFERENCES goals (id),
    number INTEGER NOT NULL CHECK (number > 0),
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    tokens INTEGER NOT NULL CHECK (tokens >= 0),
    input_tokens INTEGER NOT NULL CHECK (input_tokens >= 0),
    cached_input_tokens INTEGER NOT NULL CHECK (cached_input_tokens >= 0),
    output_tokens INTEGER NOT NULL CHECK (output_tokens >= 0),
    reasoning_tokens INTEGER NOT NULL CHECK (reasoning_tokens >= 0),
    active_microseconds INTEGER NOT NULL CHECK (active_microseconds >= 0),
    cost_microunits INTEGER NOT NULL CHECK (cost_microunits >= 0),
    hash TEXT NOT NULL,
    PRIMARY KEY (goal_id, number)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX turns_key ON turns (goal_id, key);

CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    goal_id TEXT NOT NULL REFERENCES goals (id),
    number INTEGER NOT NULL CHECK (number > 0),
    revision INTEGER NOT NULL CHECK (revision > 0),
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    at INTEGER NOT NULL,
    key TEXT,
    data TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX events_number ON events (goal_id, number);
CREATE UNIQUE INDEX events_key ON events (goal_id, key) WHERE key IS NOT NULL;
