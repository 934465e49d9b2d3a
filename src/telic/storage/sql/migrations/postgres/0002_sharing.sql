-- What lets many workers share goals: kinds of usage, holds, leases, waits, and the feed of events.
-- Moments named `expires_at` are on the server's clock (`telic_now()`); all others are on the callers'.

-- `place` is the server and the database that count the feed's transactions.
CREATE TABLE store_identity (id TEXT NOT NULL, secret TEXT NOT NULL, place TEXT NOT NULL);
INSERT INTO store_identity VALUES (
    replace(gen_random_uuid()::text, '-', ''), replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), ''
);

ALTER TABLE goals
    ADD COLUMN billing TEXT NOT NULL DEFAULT 'input_and_output'
        CHECK (billing = 'input_and_output' OR billing = 'without_cached' OR billing = 'output'),
    ADD COLUMN wake_at BIGINT CHECK (wake_at IS NULL OR status = 'paused'),
    ADD COLUMN wake_signal TEXT CHECK (wake_signal IS NULL OR status = 'paused'),
    ADD COLUMN ledger_count BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN lease_holder TEXT,
    ADD COLUMN lease_token BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN lease_expires_at BIGINT NOT NULL DEFAULT 0;
UPDATE goals SET ledger_count = turns_used;

CREATE INDEX goals_claimable ON goals (lease_expires_at, sequence) WHERE status = 'active';
CREATE INDEX goals_waking ON goals (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX goals_signalled ON goals (wake_signal, id) WHERE wake_signal IS NOT NULL;

ALTER TABLE turns
    ADD COLUMN kind TEXT NOT NULL DEFAULT 'work'
        CHECK (kind = 'work' OR kind = 'judge' OR kind = 'sub_agent' OR kind = 'tool'),
    ADD COLUMN model TEXT;

CREATE TABLE holds (
    goal_id TEXT COLLATE "C" NOT NULL REFERENCES goals (id),
    key TEXT NOT NULL,
    tokens BIGINT NOT NULL CHECK (tokens >= 0 AND tokens <= 9007199254740991),
    turns BIGINT NOT NULL CHECK (turns >= 0 AND turns <= 9007199254740991),
    active_microseconds BIGINT NOT NULL
        CHECK (active_microseconds >= 0 AND active_microseconds <= 9007199254740991),
    cost_microunits BIGINT NOT NULL CHECK (cost_microunits >= 0 AND cost_microunits <= 9007199254740991),
    placed_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state = 'open' OR state = 'settled' OR state = 'released'),
    turn_key TEXT CHECK ((turn_key IS NULL) = (state <> 'settled')),
    PRIMARY KEY (goal_id, key)
);

CREATE INDEX holds_open ON holds (goal_id, expires_at) WHERE state = 'open';

-- Which transaction wrote an event: sequence numbers commit out of order, and only a snapshot tells which have.
ALTER TABLE events ADD COLUMN transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX events_transaction ON events (transaction_id);

CREATE FUNCTION telic_now() RETURNS BIGINT LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT);

-- What a goal's open holds reserve. Volatile, so that it sees what others committed while its caller waited for
-- the goal's row: a statement's own snapshot is older than that.
CREATE FUNCTION telic_held(
    goal TEXT, OUT tokens BIGINT, OUT turns BIGINT, OUT active_microseconds BIGINT, OUT cost_microunits BIGINT
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    SELECT coalesce(sum(h.tokens), 0)::BIGINT, coalesce(sum(h.turns), 0)::BIGINT, coalesce(sum(h.active_microseconds), 0)::BIGINT,
        coalesce(sum(h.cost_microunits), 0)::BIGINT
    INTO tokens, turns, active_microseconds, cost_microunits
    FROM holds AS h WHERE h.goal_id = goal AND h.state = 'open' AND h.expires_at > (SELECT telic_now());
END $$;

CREATE FUNCTION telic_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('telic', NEW.goal_id);
    RETURN NULL;
END $$;

CREATE TRIGGER events_notify AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION telic_notify();
