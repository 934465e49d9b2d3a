-- Each hot operation is one statement here, so that it costs one network round trip: data-modifying CTEs do
-- what sqlite.sql does in steps.

-- fragment: text_matches
-- Differs because SQLite has neither strpos nor COLLATE "C"; both fold ASCII letters only.
strpos(lower(text COLLATE "C"), :text) > 0

-- statement: goals.lock
-- Differs because PostgreSQL must lock the row that a decision is about to be made on.
SELECT {goal_columns} FROM goals WHERE id = :id FOR NO KEY UPDATE

-- statement: goals.create
-- Differs because SQLite has no data-modifying CTEs. Counting `superseded` makes the holder pause first, which
-- the single-active index needs.
WITH superseded AS (
    UPDATE goals SET {superseded_columns}, event_hash = {superseded_hash}
    WHERE scope = :scope AND status = 'active' AND {creatable}
    RETURNING *
), superseded_event AS (
    INSERT INTO events ({event_columns})
    SELECT id, event_count, revision, 'paused', :actor, updated_at, NULL, :superseded_data, event_hash
    FROM superseded
), created AS (
    INSERT INTO goals ({created_columns})
    SELECT {created_values} WHERE {creatable} AND (SELECT count(*) FROM superseded) >= 0
    RETURNING *
), created_event AS (
    INSERT INTO events ({event_columns})
    SELECT id, 1, 1, 'created', :actor, created_at, :key, :data, event_hash FROM created
)
SELECT {goal_columns} FROM created

-- statement: goals.transition
-- Differs because SQLite has no data-modifying CTEs.
WITH changed AS (
    UPDATE goals SET {transition_columns}, event_hash = {transition_hash}
    WHERE {transitionable}
    RETURNING *
), changed_event AS (
    INSERT INTO events ({event_columns})
    SELECT id, event_count, revision, :kind, :actor, updated_at, :key, {chosen_data}, event_hash FROM changed
)
SELECT {goal_columns} FROM changed

-- statement: goals.resume
-- Differs because SQLite has no data-modifying CTEs. Counting `superseded` makes the holder pause first, which
-- the single-active index needs.
WITH chosen AS (
    SELECT id AS chosen_id, scope AS chosen_scope FROM goals WHERE {resumable} FOR NO KEY UPDATE
), superseded AS (
    UPDATE goals SET {superseded_columns}, event_hash = {superseded_hash}
    FROM chosen WHERE scope = chosen_scope AND status = 'active'
    RETURNING goals.*
), superseded_event AS (
    INSERT INTO events ({event_columns})
    SELECT id, event_count, revision, 'paused', :actor, updated_at, NULL, :superseded_data, event_hash
    FROM superseded
), resumed AS (
    UPDATE goals SET {resume_columns}, event_hash = {resume_hash}
    FROM chosen WHERE id = chosen_id AND (SELECT count(*) FROM superseded) >= 0
    RETURNING goals.*
), resumed_event AS (
    INSERT INTO events ({event_columns})
    SELECT id, event_count, revision, 'resumed', :actor, updated_at, :key, :data, event_hash FROM resumed
)
SELECT {goal_columns} FROM resumed

-- statement: turns.record
-- Differs because SQLite has no data-modifying CTEs, and because a CTE may write the goal's row only once.
WITH known AS (
    SELECT {turn_columns} FROM turns WHERE goal_id = :id AND key = :key
), before AS (
    SELECT id AS before_id, status = 'active' AND COALESCE(
        tokens_used + CAST(:tokens AS BIGINT) >= token_budget OR turns_used + 1 >= turn_budget
        OR active_microseconds_used + CAST(:active_microseconds AS BIGINT) >= active_microseconds_budget
        OR cost_microunits_used + CAST(:cost_microunits AS BIGINT) >= cost_microunits_budget, FALSE) AS exhausted
    FROM goals WHERE id = :id AND NOT EXISTS (SELECT 1 FROM known) FOR NO KEY UPDATE
), counted AS (
    UPDATE goals SET {counters_after_turn}, turn_hash = {next_turn_hash}, updated_at = {now},
        status = CASE WHEN exhausted THEN 'paused' ELSE status END,
        reason = CASE WHEN exhausted THEN 'budget' ELSE reason END,
        note = CASE WHEN exhausted THEN NULL ELSE note END,
        revision = CASE WHEN exhausted THEN revision + 1 ELSE revision END,
        event_count = CASE WHEN exhausted THEN event_count + 1 ELSE event_count END,
        event_hash = CASE WHEN exhausted THEN telic_digest({next_event} || '|paused|system|' || {now} || '|'
            || CAST(:exhausted_data AS TEXT) || '|') ELSE event_hash END
    FROM before WHERE id = before_id
    RETURNING goals.*, exhausted
), recorded AS (
    INSERT INTO turns ({turn_columns})
    SELECT id, turns_used, {turn_values}, turn_hash FROM counted
    RETURNING {turn_columns}
), exhausted_event AS (
    INSERT INTO events ({event_columns})
    SELECT id, event_count, revision, 'paused', 'system', updated_at, NULL, :exhausted_data, event_hash
    FROM counted WHERE exhausted
)
SELECT {goal_columns}, {turn_columns} FROM counted JOIN recorded ON goal_id = id
UNION ALL
SELECT {goal_columns}, {turn_columns} FROM goals JOIN known ON goal_id = id
