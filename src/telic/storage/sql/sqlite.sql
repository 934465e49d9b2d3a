-- What PostgreSQL does in one statement with data-modifying CTEs, SQLite does in cheap steps of one transaction:
-- changes() = 1 makes a step go on only where the step before it wrote its row.

-- fragment: text_matches
-- Differs because PostgreSQL has no instr and its lower() follows the locale; both fold ASCII letters only.
instr(lower(text), :text) > 0

-- statement: goals.lock
-- Differs because BEGIN IMMEDIATE already keeps every other writer out.
SELECT {goal_columns} FROM goals WHERE id = :id

-- statement: goals.create
-- Differs because SQLite has no data-modifying CTEs.
INSERT INTO events ({event_columns})
SELECT id, event_count + 1, revision + 1, 'paused', :actor, {now}, NULL, :superseded_data, {superseded_hash}
FROM goals WHERE scope = :scope AND status = 'active' AND {creatable};
UPDATE goals SET {superseded_columns},
    event_hash = (SELECT hash FROM events WHERE goal_id = goals.id AND number = goals.event_count + 1)
WHERE scope = :scope AND status = 'active' AND changes() = 1;
INSERT INTO goals ({created_columns}) SELECT {created_values} WHERE {creatable};
INSERT INTO events ({event_columns})
SELECT id, 1, 1, 'created', :actor, created_at, :key, :data, event_hash
FROM goals WHERE id = :id AND changes() = 1;
SELECT {goal_columns} FROM goals WHERE id = :id

-- statement: goals.transition
-- Differs because SQLite has no data-modifying CTEs.
INSERT INTO events ({event_columns})
SELECT id, event_count + 1, revision + 1, :kind, :actor, {now}, :key, {chosen_data}, {transition_hash}
FROM goals WHERE {transitionable};
UPDATE goals SET {transition_columns},
    event_hash = (SELECT hash FROM events WHERE goal_id = goals.id AND number = goals.event_count + 1)
WHERE id = :id AND changes() = 1
RETURNING {goal_columns}

-- statement: goals.resume
-- Differs because SQLite has no data-modifying CTEs.
INSERT INTO events ({event_columns})
SELECT id, event_count + 1, revision + 1, 'paused', :actor, {now}, NULL, :superseded_data, {superseded_hash}
FROM goals WHERE scope = (SELECT scope FROM goals WHERE {resumable}) AND status = 'active';
UPDATE goals SET {superseded_columns},
    event_hash = (SELECT hash FROM events WHERE goal_id = goals.id AND number = goals.event_count + 1)
WHERE scope = (SELECT scope FROM goals WHERE id = :id) AND status = 'active' AND changes() = 1;
INSERT INTO events ({event_columns})
SELECT id, event_count + 1, revision + 1, 'resumed', :actor, {now}, :key, :data, {resume_hash}
FROM goals WHERE {resumable};
UPDATE goals SET {resume_columns},
    event_hash = (SELECT hash FROM events WHERE goal_id = goals.id AND number = goals.event_count + 1)
WHERE id = :id AND changes() = 1
RETURNING {goal_columns}

-- statement: turns.record
-- Differs because SQLite has no data-modifying CTEs.
INSERT INTO turns ({turn_columns})
SELECT id, turns_used + 1, {turn_values}, {next_turn_hash}
FROM goals WHERE id = :id AND NOT EXISTS (SELECT 1 FROM turns WHERE goal_id = :id AND key = :key);
UPDATE goals SET {counters_after_turn}, updated_at = {now},
    turn_hash = (SELECT hash FROM turns WHERE goal_id = goals.id AND number = goals.turns_used + 1)
WHERE id = :id AND changes() = 1;
INSERT INTO events ({event_columns})
SELECT id, event_count + 1, revision + 1, 'paused', 'system', updated_at, NULL, :exhausted_data,
    telic_digest({next_event} || '|paused|system|' || updated_at || '|' || :exhausted_data || '|')
FROM goals WHERE id = :id AND status = 'active' AND {exhausted} AND changes() = 1;
UPDATE goals SET status = 'paused', reason = 'budget', note = NULL, revision = revision + 1,
    event_count = event_count + 1,
    event_hash = (SELECT hash FROM events WHERE goal_id = goals.id AND number = goals.event_count + 1)
WHERE id = :id AND changes() = 1;
SELECT {goal_columns}, {turn_columns} FROM goals JOIN turns ON goal_id = id WHERE id = :id AND key = :key
