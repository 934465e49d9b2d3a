-- Where an autonomous loop stands with a goal, so that any worker can go on. Verdicts are events.

CREATE TABLE loop_states (
    goal_id TEXT PRIMARY KEY REFERENCES goals (id),
    state TEXT NOT NULL,
    lease_token INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
