-- Named statements that SQLite and PostgreSQL both accept. {name} is replaced by the fragment of that name.
-- What must differ stands in sqlite.sql and postgres.sql under the same names.

-- fragment: goal_columns
id, scope, text, criteria, status, reason, note, revision,
token_budget, turn_budget, active_microseconds_budget, cost_microunits_budget,
turns_used, tokens_used, input_tokens_used, cached_input_tokens_used, output_tokens_used,
reasoning_tokens_used, active_microseconds_used, cost_microunits_used,
created_at, updated_at, ended_at

-- fragment: turn_columns
goal_id, number, key, at, tokens, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens,
active_microseconds, cost_microunits, hash

-- fragment: event_columns
goal_id, number, revision, kind, actor, at, key, data, hash

-- fragment: now
-- A goal's own times never run backwards, whatever the wall clock does.
CASE WHEN CAST(:at AS BIGINT) > updated_at THEN CAST(:at AS BIGINT) ELSE updated_at END

-- fragment: next_event
event_hash || '|' || id || '|' || (event_count + 1) || '|' || (revision + 1)

-- fragment: superseded_hash
telic_digest({next_event} || '|paused|' || CAST(:actor AS TEXT) || '|' || {now} || '|'
    || CAST(:superseded_data AS TEXT) || '|')

-- fragment: superseded_columns
status = 'paused', reason = 'superseded', note = NULL, revision = revision + 1, updated_at = {now},
event_count = event_count + 1

-- fragment: exhausted
-- NULL, where a budget is not set, must count as room.
COALESCE(tokens_used >= token_budget OR turns_used >= turn_budget
    OR active_microseconds_used >= active_microseconds_budget
    OR cost_microunits_used >= cost_microunits_budget, FALSE)

-- fragment: creatable
NOT EXISTS (SELECT 1 FROM goals AS same WHERE same.scope = :scope AND same.creation_key = :key)
AND (CAST(:over_unfinished AS BIGINT) = 1
    OR NOT EXISTS (SELECT 1 FROM goals AS other WHERE other.scope = :scope AND other.ended_at IS NULL))

-- fragment: created_columns
id, scope, text, criteria, status, reason, note, revision,
token_budget, turn_budget, active_microseconds_budget, cost_microunits_budget,
turns_used, tokens_used, input_tokens_used, cached_input_tokens_used, output_tokens_used,
reasoning_tokens_used, active_microseconds_used, cost_microunits_used,
created_at, updated_at, ended_at, creation_key, event_count, event_hash, turn_hash

-- fragment: created_values
CAST(:id AS TEXT), CAST(:scope AS TEXT), CAST(:text AS TEXT), CAST(:criteria AS TEXT), 'active', NULL, NULL, 1,
CAST(:token_budget AS BIGINT), CAST(:turn_budget AS BIGINT), CAST(:active_microseconds_budget AS BIGINT),
CAST(:cost_microunits_budget AS BIGINT), 0, 0, 0, 0, 0, 0, 0, 0,
CAST(:at AS BIGINT), CAST(:at AS BIGINT), NULL, CAST(:key AS TEXT), 1, CAST(:created_hash AS TEXT), ''

-- fragment: unseen
(CAST(:expected_revision AS BIGINT) IS NULL OR revision = CAST(:expected_revision AS BIGINT))
AND NOT EXISTS (SELECT 1 FROM events WHERE goal_id = :id AND key = :key)

-- fragment: chosen_data
CASE WHEN criteria = '[]' THEN CAST(:data AS TEXT) ELSE CAST(:data_with_criteria AS TEXT) END

-- fragment: transitionable
id = :id AND (status = :source OR status = :other_source) AND {chosen_data} IS NOT NULL AND {unseen}

-- fragment: transition_hash
telic_digest({next_event} || '|' || CAST(:kind AS TEXT) || '|' || CAST(:actor AS TEXT) || '|' || {now} || '|'
    || {chosen_data} || '|' || CAST(:key AS TEXT))

-- fragment: transition_columns
status = CAST(:status AS TEXT),
reason = CASE WHEN criteria = '[]' THEN CAST(:reason AS TEXT) ELSE CAST(:reason_with_criteria AS TEXT) END,
note = CAST(:note AS TEXT), revision = revision + 1, updated_at = {now}, event_count = event_count + 1,
ended_at = CASE WHEN CAST(:ends AS BIGINT) = 1 THEN {now} END

-- fragment: resumable
id = :id AND status = 'paused' AND NOT {exhausted} AND {unseen}

-- fragment: resume_hash
telic_digest({next_event} || '|resumed|' || CAST(:actor AS TEXT) || '|' || {now} || '|' || CAST(:data AS TEXT)
    || '|' || CAST(:key AS TEXT))

-- fragment: resume_columns
status = 'active', reason = NULL, note = CAST(:note AS TEXT), revision = revision + 1, updated_at = {now},
event_count = event_count + 1

-- fragment: next_turn_hash
telic_digest(turn_hash || '|' || id || '|' || (turns_used + 1) || '|' || {now}
    || '|' || CAST(:tokens AS BIGINT) || '|' || CAST(:input_tokens AS BIGINT)
    || '|' || CAST(:cached_input_tokens AS BIGINT) || '|' || CAST(:output_tokens AS BIGINT)
    || '|' || CAST(:reasoning_tokens AS BIGINT) || '|' || CAST(:active_microseconds AS BIGINT)
    || '|' || CAST(:cost_microunits AS BIGINT) || '|' || CAST(:key AS TEXT))

-- fragment: counters_after_turn
turns_used = turns_used + 1,
tokens_used = tokens_used + CAST(:tokens AS BIGINT),
input_tokens_used = input_tokens_used + CAST(:input_tokens AS BIGINT),
cached_input_tokens_used = cached_input_tokens_used + CAST(:cached_input_tokens AS BIGINT),
output_tokens_used = output_tokens_used + CAST(:output_tokens AS BIGINT),
reasoning_tokens_used = reasoning_tokens_used + CAST(:reasoning_tokens AS BIGINT),
active_microseconds_used = active_microseconds_used + CAST(:active_microseconds AS BIGINT),
cost_microunits_used = cost_microunits_used + CAST(:cost_microunits AS BIGINT)

-- fragment: turn_values
:key, {now}, CAST(:tokens AS BIGINT), CAST(:input_tokens AS BIGINT), CAST(:cached_input_tokens AS BIGINT),
CAST(:output_tokens AS BIGINT), CAST(:reasoning_tokens AS BIGINT), CAST(:active_microseconds AS BIGINT),
CAST(:cost_microunits AS BIGINT)

-- fragment: page
ORDER BY sequence DESC LIMIT :limit

-- fragment: listed
SELECT sequence, {goal_columns} FROM goals
WHERE sequence < :before AND (CAST(:text AS TEXT) IS NULL OR {text_matches})

-- statement: goals.get
SELECT {goal_columns} FROM goals WHERE id = :id

-- statement: goals.active
SELECT {goal_columns} FROM goals WHERE scope = :scope AND status = 'active'

-- statement: goals.find
SELECT {goal_columns} FROM goals WHERE id >= :first AND id < :last ORDER BY id LIMIT 2

-- statement: goals.list
{listed} {page}

-- statement: goals.list_in_scope
{listed} AND scope = :scope {page}

-- statement: goals.list_with_status
{listed} AND status = :status {page}

-- statement: goals.list_in_scope_with_status
{listed} AND scope = :scope AND status = :status {page}

-- statement: goals.created_with
SELECT {goal_columns} FROM goals WHERE scope = :scope AND creation_key = :key

-- statement: goals.redefine
-- The row is locked, and what changes was decided from it; one event of kind :kind follows by events.append.
UPDATE goals SET text = :text, criteria = :criteria, token_budget = :token_budget, turn_budget = :turn_budget,
    active_microseconds_budget = :active_microseconds_budget, cost_microunits_budget = :cost_microunits_budget,
    status = :status, reason = :reason, note = :note, revision = revision + 1, updated_at = {now},
    ended_at = CASE WHEN CAST(:ends AS BIGINT) = 1 THEN {now} END, event_count = event_count + 1,
    event_hash = telic_digest({next_event} || '|' || CAST(:kind AS TEXT) || '|' || CAST(:actor AS TEXT) || '|' || {now}
        || '|' || CAST(:data AS TEXT) || '|' || COALESCE(CAST(:key AS TEXT), ''))
WHERE id = :id
RETURNING {goal_columns}

-- statement: events.append
-- Writes down the change that goals.redefine has just made.
INSERT INTO events ({event_columns})
SELECT id, event_count, revision, :kind, :actor, updated_at, CAST(:key AS TEXT), :data, event_hash
FROM goals WHERE id = :id
RETURNING number

-- statement: events.with_key
SELECT {event_columns} FROM events WHERE goal_id = :id AND key = :key

-- statement: events.page
SELECT {event_columns} FROM events WHERE goal_id = :id AND number > :after ORDER BY number LIMIT :limit

-- statement: turns.page
SELECT {turn_columns} FROM turns WHERE goal_id = :id AND number > :after ORDER BY number LIMIT :limit

-- statement: records.ids
SELECT sequence, id FROM goals WHERE sequence > :after ORDER BY sequence LIMIT :limit

-- statement: records.get
-- A goal with its chain heads.
SELECT {goal_columns}, creation_key, event_count, event_hash, turn_hash FROM goals WHERE id = :id

-- statement: records.insert_goal
INSERT INTO goals ({created_columns}) VALUES (:id, :scope, :text, :criteria, :status, :reason, :note, :revision,
    :token_budget, :turn_budget, :active_microseconds_budget, :cost_microunits_budget,
    :turns_used, :tokens_used, :input_tokens_used, :cached_input_tokens_used, :output_tokens_used,
    :reasoning_tokens_used, :active_microseconds_used, :cost_microunits_used,
    :created_at, :updated_at, :ended_at, :creation_key, :event_count, :event_hash, :turn_hash)
RETURNING id

-- statement: records.insert_event
INSERT INTO events ({event_columns})
VALUES (:goal_id, :number, :revision, :kind, :actor, :at, :key, :data, :hash)
RETURNING number

-- statement: records.insert_turn
INSERT INTO turns ({turn_columns})
VALUES (:goal_id, :number, :key, :at, :tokens, :input_tokens, :cached_input_tokens, :output_tokens,
    :reasoning_tokens, :active_microseconds, :cost_microunits, :hash)
RETURNING number

-- statement: records.strays
-- Events and turns whose goal is gone: foreign keys forbid them, a damaged or edited database may have them.
SELECT 'event', goal_id, number FROM events WHERE NOT EXISTS (SELECT 1 FROM goals WHERE id = goal_id)
UNION ALL
SELECT 'turn', goal_id, number FROM turns WHERE NOT EXISTS (SELECT 1 FROM goals WHERE id = goal_id)
LIMIT :limit
