-- What PostgreSQL does in one statement with data-modifying CTEs, SQLite does in cheap steps of one transaction:
-- changes() = 1 makes a step go on only where the step before it wrote its row.

-- fragment: text_matches
-- Differs because PostgreSQL has no instr and its lower() follows the locale; both fold ASCII letters only.
instr(lower(text), :text) > 0

-- fragment: then_each
-- Differs because SQLite, which has no statistics of these tables, might begin with the goals.
CROSS

-- fragment: skip_locked
-- Differs because BEGIN IMMEDIATE already keeps every other writer out.

-- fragment: and_lock
-- Differs as `skip_locked`.

-- fragment: those_with_workers
-- Differs as the next.
INDEXED BY goals_with_workers

-- fragment: in_order_of_service
-- Differs because SQLite, which has no statistics of these tables, would sort all active goals.
INDEXED BY goals_claimable

-- fragment: by_those_open
-- Differs because SQLite, which has no statistics of these tables, would read the settled ones too.
INDEXED BY holds_open

-- fragment: by_those_estimated
-- Differs because SQLite, which has no statistics of these tables, would read all lines.
INDEXED BY turns_estimated

-- fragment: of_chosen_goals
-- Differs because the two databases unfold a JSON array in different words.
goal_id IN (SELECT value FROM json_each(:ids))

-- fragment: wall_now
-- Differs because leases go by a clock that is no wall's, and begins anew with each start of the machine.
telic_wall_now()

-- fragment: is_due
-- Differs because SQLite has no arrays.
id IN (SELECT due_id FROM due)

-- fragment: held_tokens
-- Differs, as do the next three, because nobody writes between this statement's snapshot and its end.
(SELECT COALESCE(SUM(tokens), 0) FROM holds {that_reserve})

-- fragment: held_turns
(SELECT COALESCE(SUM(turns), 0) FROM holds {that_reserve})

-- fragment: held_active_microseconds
(SELECT COALESCE(SUM(active_microseconds), 0) FROM holds {that_reserve})

-- fragment: held_cost_microunits
(SELECT COALESCE(SUM(cost_microunits), 0) FROM holds {that_reserve})

-- fragment: that_reserve
-- Two searches, so that what expired and is free again is not read.
WHERE goal_id = :id AND state = 'open' AND expires_at > telic_now()
    OR goal_id = :id AND state = 'open' AND frees_on_expiry = 0

-- fragment: feed_bounds
-- Written like PostgreSQL's snapshots: everything below the number can be seen.
SELECT COALESCE(NULLIF(:until, ''), (SELECT (last + 1) || ':' || (last + 1) || ':+' || last FROM (
    SELECT COALESCE(MAX(sequence), 0) AS last FROM events))) AS upper_bound

-- fragment: upper_sequence
CAST(upper_bound AS INTEGER) - 1

-- fragment: next_token
-- Differs because the two databases have other words for the larger number and for the wall clock.
max(lease_token + 1, CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000)

-- fragment: feed_page
SELECT events.sequence, scope, {feed_columns} FROM events JOIN goals ON goals.id = events.goal_id
WHERE {of_interest} AND events.sequence < (SELECT CAST(upper_bound AS INTEGER) FROM bounds)

-- statement: goals.get.at_rowid
-- Only here, as the next three: a goal's row is found at once by the number that it keeps for ever.
SELECT {goal_columns} FROM goals WHERE sequence = :place AND +id = :id

-- statement: goals.get.rowid_of
SELECT sequence FROM goals WHERE id = :id

-- statement: goals.active.at_rowid
SELECT {goal_columns} FROM goals WHERE sequence = :place AND +scope = :scope AND status = 'active'

-- statement: goals.active.rowid_of
SELECT sequence FROM goals WHERE scope = :scope AND status = 'active'

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
UPDATE holds SET state = {settled_as}, turn_key = :key
WHERE goal_id = (SELECT id FROM goals WHERE id = :id AND {leased}) AND {hold_is_open}
AND NOT EXISTS (SELECT 1 FROM turns WHERE goal_id = :id AND key = :key);
INSERT INTO turns ({turn_columns})
SELECT id, ledger_count + 1, {turn_values}, {next_turn_hash}, :kind, :model, :is_estimate, :takes_back
FROM goals WHERE id = :id AND NOT EXISTS (SELECT 1 FROM turns WHERE goal_id = :id AND key = :key)
AND {leased} AND (:hold IS NULL OR changes() = 1);
UPDATE goals SET {counters_after_turn}, changed_at = {now},
    turn_hash = (SELECT hash FROM turns WHERE goal_id = goals.id AND number = goals.ledger_count + 1)
WHERE id = :id AND changes() = 1;
INSERT INTO events ({event_columns})
SELECT id, event_count + 1, revision + 1, 'paused', 'system', changed_at, NULL, :exhausted_data,
    telic_digest({next_event} || '|paused|system|' || changed_at || '|' || :exhausted_data || '|')
FROM goals WHERE id = :id AND status = 'active' AND {exhausted} AND changes() = 1;
UPDATE goals SET status = 'paused', reason = 'budget', note = NULL, revision = revision + 1,
    event_count = event_count + 1,
    event_hash = (SELECT hash FROM events WHERE goal_id = goals.id AND number = goals.event_count + 1)
WHERE id = :id AND changes() = 1;
SELECT {goal_columns}, {turn_columns}, {has_overdue} FROM goals JOIN turns ON goal_id = id WHERE id = :id AND key = :key

-- statement: holds.place
-- Differs because PostgreSQL must lock the goal before it adds up what is held.
INSERT INTO holds ({placed_columns}) SELECT {placed_values} FROM goals WHERE {holdable} AND {room};
SELECT {hold_columns}, {has_overdue} FROM holds WHERE goal_id = :id AND key = :key

-- statement: feed.first
-- Differs, as does the next, because PostgreSQL's sequence numbers commit out of order. Here they do not.
WITH bounds AS ({feed_bounds}), page AS (
    {feed_page} AND events.sequence > :after ORDER BY events.sequence LIMIT :limit
)
SELECT NULL, NULL, page.* FROM page
{feed_end}

-- statement: feed.next
-- A position beyond the last event was not reached in this file: an older copy has taken its place.
WITH bounds AS ({feed_bounds}), page AS (
    {feed_page} AND events.sequence >= max(CAST(:before AS INTEGER), :after + 1) ORDER BY events.sequence LIMIT :limit
)
SELECT NULL, NULL, page.* FROM page
UNION ALL
SELECT upper_bound, CASE WHEN CAST(:before AS INTEGER) <= CAST(upper_bound AS INTEGER) AND {was_here} THEN id END,
    NULL, {mark}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM bounds, store_identity

-- statement: feed.rest
-- Differs because PostgreSQL must tell what is new from what only has a higher number.
WITH bounds AS ({feed_bounds}), page AS (
    {feed_page} AND events.sequence >= max(CAST(:before AS INTEGER), :after + 1) ORDER BY events.sequence LIMIT :limit
)
SELECT NULL, NULL, page.* FROM page
{feed_end}
