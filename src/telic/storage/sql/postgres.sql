-- Each hot operation is one statement here, so that it costs one network round trip: data-modifying CTEs do
-- what sqlite.sql does in steps.

-- fragment: text_matches
-- Differs because SQLite has neither strpos nor COLLATE "C"; both fold ASCII letters only.
strpos(lower(text COLLATE "C"), :text) > 0

-- fragment: then_each
-- Differs because PostgreSQL knows where to begin.

-- fragment: skip_locked
-- Differs because SQLite has one writer at a time: there is nobody to be skipped.
FOR NO KEY UPDATE SKIP LOCKED

-- fragment: and_lock
-- Differs as `skip_locked`.
FOR NO KEY UPDATE

-- fragment: those_with_workers
-- Differs as the next.

-- fragment: in_order_of_service
-- Differs because PostgreSQL finds the index by itself.

-- fragment: by_those_open
-- Differs because PostgreSQL finds the index by itself.

-- fragment: by_those_estimated
-- Differs because PostgreSQL finds the index by itself.

-- fragment: of_chosen_goals
-- Differs because the two databases unfold a JSON array in different words. As an array, and not a subquery, each
-- goal's lines are found by the index whatever the planner thinks of the tables.
goal_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(:ids AS TEXT) AS JSONB))))

-- fragment: wall_now
-- Differs because here leases and people's times go by one clock: the server's.
telic_now()

-- fragment: is_due
-- Differs because PostgreSQL, which does not know how few are due, would join them with all goals.
id = ANY (ARRAY(SELECT due_id FROM due))

-- fragment: held_tokens
-- Differs, as do the next three, because a statement's own snapshot may miss what was held while it waited.
held.tokens

-- fragment: held_turns
held.turns

-- fragment: held_active_microseconds
held.active_microseconds

-- fragment: held_cost_microunits
held.cost_microunits

-- fragment: feed_bounds
-- The highest number beside the snapshot tells apart what has a transaction's number again after a crash.
SELECT upper_bound, CAST(split_part(upper_bound, '+', 1) AS pg_snapshot) AS snapshot,
    CAST(split_part(upper_bound, '+', 2) AS BIGINT) AS highest
FROM (SELECT COALESCE(NULLIF(CAST(:until AS TEXT), ''), (
    SELECT CAST(pg_current_snapshot() AS TEXT) || '+' || COALESCE(MAX(sequence), 0) FROM events
)) AS upper_bound OFFSET 0) AS bound

-- fragment: upper_sequence
highest

-- fragment: next_token
-- Differs because the two databases have other words for the larger number and for the wall clock.
GREATEST(lease_token + 1, telic_now())

-- fragment: feed_page
-- The sum keeps the planner from going through all numbers instead of the few transactions that are new.
SELECT events.sequence, scope, {feed_columns} FROM events JOIN goals ON goals.id = events.goal_id
WHERE events.sequence > CAST(:after AS BIGINT) AND {of_interest}
AND events.sequence + 0 <= (SELECT highest FROM bounds)
AND pg_visible_in_snapshot(transaction_id, (SELECT snapshot FROM bounds))

-- fragment: snapshot_before
CAST(split_part(CAST(:before AS TEXT), '+', 1) AS pg_snapshot)

-- fragment: highest_before
CAST(split_part(CAST(:before AS TEXT), '+', 2) AS BIGINT)

-- statement: goals.lock
-- Differs because PostgreSQL must lock the row that a decision is about to be made on.
SELECT {goal_columns} FROM goals WHERE id = :id FOR NO KEY UPDATE

-- statement: goals.create
-- Differs because SQLite has no data-modifying CTEs. Counting `superseded` makes the active goal pause first, which
-- the single-active index needs.
WITH superseded AS (
    UPDATE goals SET {superseded_columns}, event_hash = {superseded_hash}
    WHERE scope = :scope AND status = 'active' AND {creatable}
    RETURNING *
), superseded_event AS (
    INSERT INTO events ({event_columns})
    SELECT id, event_count, revision, 'paused', :actor, changed_at, NULL, :superseded_data, event_hash
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
    SELECT id, event_count, revision, :kind, :actor, changed_at, :key, {chosen_data}, event_hash FROM changed
)
SELECT {goal_columns} FROM changed

-- statement: goals.resume
-- Differs because SQLite has no data-modifying CTEs. Counting `superseded` makes the active goal pause first, which
-- the single-active index needs.
WITH chosen AS (
    SELECT id AS chosen_id, scope AS chosen_scope FROM goals WHERE {resumable} FOR NO KEY UPDATE
), superseded AS (
    UPDATE goals SET {superseded_columns}, event_hash = {superseded_hash}
    FROM chosen WHERE scope = chosen_scope AND status = 'active'
    RETURNING goals.*
), superseded_event AS (
    INSERT INTO events ({event_columns})
    SELECT id, event_count, revision, 'paused', :actor, changed_at, NULL, :superseded_data, event_hash
    FROM superseded
), resumed AS (
    UPDATE goals SET {resume_columns}, event_hash = {resume_hash}
    FROM chosen WHERE id = chosen_id AND (SELECT count(*) FROM superseded) >= 0
    RETURNING goals.*
), resumed_event AS (
    INSERT INTO events ({event_columns})
    SELECT id, event_count, revision, 'resumed', :actor, changed_at, :key, :data, event_hash FROM resumed
)
SELECT {goal_columns} FROM resumed

-- statement: turns.record
-- Differs because SQLite has no data-modifying CTEs, and because a CTE may write the goal's row only once.
WITH known AS (
    SELECT {turn_columns} FROM turns WHERE goal_id = :id AND key = :key
), before AS (
    SELECT id AS before_id, status = 'active' AND COALESCE(
        tokens_used + {billed} >= token_budget OR turns_used + CAST(:turns AS BIGINT) >= turn_budget
        OR active_microseconds_used + CAST(:active_microseconds AS BIGINT) >= active_microseconds_budget
        OR cost_microunits_used + CAST(:cost_microunits AS BIGINT) >= cost_microunits_budget, FALSE) AS exhausted
    FROM goals WHERE id = :id AND NOT EXISTS (SELECT 1 FROM known) AND {leased} FOR NO KEY UPDATE
), settled AS (
    UPDATE holds SET state = {settled_as}, turn_key = CAST(:key AS TEXT)
    FROM before WHERE goal_id = before_id AND {hold_is_open}
    RETURNING key AS settled_key
), counted AS (
    UPDATE goals SET {counters_after_turn}, turn_hash = {next_turn_hash}, changed_at = {now},
        status = CASE WHEN exhausted THEN 'paused' ELSE status END,
        reason = CASE WHEN exhausted THEN 'budget' ELSE reason END,
        note = CASE WHEN exhausted THEN NULL ELSE note END,
        revision = CASE WHEN exhausted THEN revision + 1 ELSE revision END,
        event_count = CASE WHEN exhausted THEN event_count + 1 ELSE event_count END,
        event_hash = CASE WHEN exhausted THEN telic_digest({next_event} || '|paused|system|' || {now} || '|'
            || CAST(:exhausted_data AS TEXT) || '|') ELSE event_hash END
    FROM before WHERE id = before_id AND (CAST(:hold AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM settled))
    RETURNING goals.*, exhausted
), recorded AS (
    INSERT INTO turns ({turn_columns})
    SELECT id, ledger_count, {turn_values}, turn_hash, CAST(:kind AS TEXT), CAST(:model AS TEXT),
        CAST(:is_estimate AS BIGINT), CAST(:takes_back AS BIGINT) FROM counted
    RETURNING {turn_columns}
), exhausted_event AS (
    INSERT INTO events ({event_columns})
    SELECT id, event_count, revision, 'paused', 'system', changed_at, NULL, :exhausted_data, event_hash
    FROM counted WHERE exhausted
)
SELECT {goal_columns}, {turn_columns}, {has_overdue} FROM counted JOIN recorded ON goal_id = id
UNION ALL
SELECT {goal_columns}, {turn_columns}, {has_overdue} FROM goals JOIN known ON goal_id = id

-- statement: holds.place
-- Differs because PostgreSQL must lock the goal before it adds up what is held.
WITH locked AS (
    SELECT * FROM goals WHERE {holdable} FOR NO KEY UPDATE
), placed AS (
    INSERT INTO holds ({placed_columns})
    SELECT {placed_values} FROM locked, LATERAL telic_held(locked.id) AS held
    WHERE {room}
    RETURNING {hold_columns}
)
SELECT *, {has_overdue} FROM placed
UNION ALL
SELECT {hold_columns}, {has_overdue} FROM holds WHERE goal_id = :id AND key = :key

-- statement: feed.first
-- Differs, as does the next, because sequence numbers commit out of order here: a snapshot says what is new.
WITH bounds AS ({feed_bounds}), page AS ({feed_page} ORDER BY events.sequence LIMIT :limit)
SELECT NULL, NULL, page.* FROM page
{feed_end}

-- statement: feed.next
-- Finds what is new by its number, or else by its transaction, and puts it in order: done once for all that came since.
WITH bounds AS ({feed_bounds}), page AS (
    ({feed_page} AND events.sequence > {highest_before} ORDER BY events.sequence LIMIT :limit)
    UNION ALL
    ({feed_page} AND events.sequence + 0 <= {highest_before}
    AND transaction_id >= pg_snapshot_xmin({snapshot_before})
    AND NOT pg_visible_in_snapshot(transaction_id, {snapshot_before}))
    ORDER BY sequence LIMIT :limit
)
SELECT NULL, NULL, page.* FROM page
{feed_end}

-- statement: feed.rest
-- The next pages of the same: what follows in order is nearly all new, and need not be looked for.
WITH bounds AS ({feed_bounds}), page AS (
    {feed_page}
    AND (events.sequence > {highest_before} OR NOT pg_visible_in_snapshot(transaction_id, {snapshot_before}))
    ORDER BY events.sequence LIMIT :limit
)
SELECT NULL, NULL, page.* FROM page
{feed_end}
