-- What lets many workers share goals: kinds of usage, holds, leases, waits, and the feed of events.
-- Moments named `expires_at` are on a clock that cannot jump (`telic_now()`); all others are on the wall's.

CREATE TABLE store_identity (id TEXT NOT NULL, secret TEXT NOT NULL, boot TEXT NOT NULL) STRICT;
INSERT INTO store_identity VALUES (lower(hex(randomblob(16))), lower(hex(randomblob(32))), '');

ALTER TABLE goals ADD COLUMN billing TEXT NOT NULL DEFAULT 'input_and_output'
    CHECK (billing = 'input_and_output' OR billing = 'without_cached' OR billing = 'output');
ALTER TABLE goals ADD COLUMN wake_at INTEGER CHECK (wake_at IS NULL OR status = 'paused');
ALTER TABLE goals ADD COLUMN wake_signal TEXT CHECK (wake_signal IS NULL OR status = 'paused');
ALTER TABLE goals ADD COLUMN ledger_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE goals ADD COLUMN lease_holder TEXT;
ALTER TABLE goals ADD COLUMN lease_token INTEGER NOT NULL DEFAULT 0;
ALTER TABLE goals ADD COLUMN lease_expires_at INTEGER NOT NULL DEFAULT 0;
UPDATE goals SET ledger_count = turns_used;

CREATE INDEX goals_claimable ON goals (lease_expires_at, sequence) WHERE status = 'active';
CREATE INDEX goals_waking ON goals (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX goals_signalled ON goals (wake_signal, id) WHERE wake_signal IS NOT NULL;

ALTER TABLE turns ADD COLUMN kind TEXT NOT NULL DEFAULT 'work'
    CHECK (kind = 'work' OR kind = 'judge' OR kind = 'sub_agent' OR kind = 'tool');
ALTER TABLE turns ADD COLUMN model TEXT;

CREATE TABLE holds (
    goal_id TEXT NOT NULL REFERENCES goals (id),
    key TEXT NOT NULL,
    tokens INTEGER NOT NULL CHECK (tokens >= 0 AND tokens <= 9007199254740991),
    turns INTEGER NOT NULL CHECK (turns >= 0 AND turns <= 9007199254740991),
    active_microseconds INTEGER NOT NULL
        CHECK (active_microseconds >= 0 AND active_microseconds <= 9007199254740991),
    cost_microunits INTEGER NOT NULL CHECK (cost_microunits >= 0 AND cost_microunits <= 9007199254740991),
    placed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state = 'open' OR state = 'settled' OR state = 'released'),
    turn_key TEXT CHECK ((turn_key IS NULL) = (state <> 'settled')),
    PRIMARY KEY (goal_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX holds_open ON holds (goal_id, expires_at) WHERE state = 'open';
