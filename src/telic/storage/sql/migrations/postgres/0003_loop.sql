-- Where an autonomous loop stands with a goal, so that any worker can go on. Verdicts are events.

CREATE TABLE loop_states (
    goal_id TEXT COLLATE "C" PRIMARY KEY REFERENCES goals (id),
    state TEXT NOT NULL,
    lease_token BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
