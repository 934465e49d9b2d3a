-- A fill factor below 100 leaves room on the page for the next version of a goal's row (heap-only tuples).
-- Times are microseconds since the epoch in UTC; money is in micro-units of the host's currency.

CREATE TABLE goals (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    text TEXT NOT NULL,
    criteria TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status = 'active' OR status = 'paused' OR status = 'completed' OR status = 'cleared'),
    reason TEXT CHECK ((reason IS NULL) = (status = 'active')),
    note TEXT,
    revision BIGINT NOT NULL CHECK (revision > 0),
    token_budget BIGINT CHECK (token_budget > 0 AND token_budget <= 9007199254740991),
    turn_budget BIGINT CHECK (turn_budget > 0 AND turn_budget <= 9007199254740991),
    active_microseconds_budget BIGINT
        CHECK (active_microseconds_budget > 0 AND active_microseconds_budget <= 9007199254740991),
    cost_microunits_budget BIGINT
        CHECK (cost_microunits_budget > 0 AND cost_microunits_budget <= 9007199254740991),
    turns_used BIGINT NOT NULL CHECK (turns_used >= 0 AND turns_used <= 9007199254740991),
    tokens_used BIGINT NOT NULL CHECK (tokens_used >= 0 AND tokens_used <= 9007199254740991),
    input_tokens_used BIGINT NOT NULL
        CHECK (input_tokens_used >= 0 AND input_tokens_used <= 9007199254740991),
    cached_input_tokens_used BIGINT NOT NULL
        CHECK (cached_input_tokens_used >= 0 AND cached_input_tokens_used <= 9007199254740991),
    output_tokens_used BIGINT NOT NULL
        CHECK (output_tokens_used >= 0 AND output_tokens_used <= 9007199254740991),
    reasoning_tokens_used BIGINT NOT NULL
        CHECK (reasoning_tokens_used >= 0 AND reasoning_tokens_used <= 9007199254740991),
    active_microseconds_used BIGINT NOT NULL
        CHECK (active_microseconds_used >= 0 AND active_microseconds_used <= 9007199254740991),
    cost_microunits_used BIGINT NOT NULL
        CHECK (cost_microunits_used >= 0 AND cost_microunits_used <= 9007199254740991),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL CHECK (updated_at >= created_at),
    ended_at BIGINT
        CHECK ((ended_at IS NULL) = (status = 'active' OR status = 'paused')),
    creation_key TEXT NOT NULL,
    event_count BIGINT NOT NULL,
    event_hash TEXT NOT NULL,
    turn_hash TEXT NOT NULL
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX goals_single_active ON goals (scope) WHERE status = 'active';
CREATE UNIQUE INDEX goals_creation_key ON goals (scope, creation_key);
CREATE INDEX goals_unfinished ON goals (scope) WHERE ended_at IS NULL;
CREATE INDEX goals_by_scope ON goals (scope, sequence);
CREATE INDEX goals_by_status ON goals (status, sequence);

CREATE TABLE turns (
    goal_id TEXT COLLATE "C" NOT NULL REFERENCES goals (id),
    number BIGINT NOT NULL CHECK (number > 0),
    key TEXT NOT NULL,
    at BIGINT NOT NULL,
    tokens BIGINT NOT NULL CHECK (tokens >= 0),
    input_tokens BIGINT NOT NULL CHECK (input_tokens >= 0),
    cached_input_tokens BIGINT NOT NULL CHECK (cached_input_tokens >= 0),
    output_tokens BIGINT NOT NULL CHECK (output_tokens >= 0),
    reasoning_tokens BIGINT NOT NULL CHECK (reasoning_tokens >= 0),
    active_microseconds BIGINT NOT NULL CHECK (active_microseconds >= 0),
    cost_microunits BIGINT NOT NULL CHECK (cost_microunits >= 0),
    hash TEXT NOT NULL,
    PRIMARY KEY (goal_id, number)
);

CREATE UNIQUE INDEX turns_key ON turns (goal_id, key);

CREATE TABLE events (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    goal_id TEXT COLLATE "C" NOT NULL REFERENCES goals (id),
    number BIGINT NOT NULL CHECK (number > 0),
    revision BIGINT NOT NULL CHECK (revision > 0),
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    key TEXT,
    data TEXT NOT NULL,
    hash TEXT NOT NULL
);

CREATE UNIQUE INDEX events_number ON events (goal_id, number);
CREATE UNIQUE INDEX events_key ON events (goal_id, key) WHERE key IS NOT NULL;

-- The name that both databases give the history's digest: SQLite registers a function of the same name.
CREATE FUNCTION telic_digest(canonical TEXT) RETURNS TEXT LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN encode(sha256(convert_to(canonical, 'UTF8')), 'hex');
