-- Named statements that SQLite and PostgreSQL both accept. {name} is replaced by the fragment of that name.
-- What must differ stands in sqlite.sql and postgres.sql under the same names.

-- fragment: goal_columns
id, scope, text, criteria, status, reason, note, revision,
token_budget, turn_budget, active_microseconds_budget, cost_microunits_budget,
turns_used, tokens_used, input_tokens_used, cached_input_tokens_used, output_tokens_used,
reasoning_tokens_used, active_microseconds_used, cost_microunits_used,
created_at, changed_at, ended_at, billing, wake_at, wake_signal, estimated_lines

-- fragment: turn_columns
goal_id, number, key, at, tokens, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens,
active_microseconds, cost_microunits, hash, kind, model, is_estimate, takes_back

-- fragment: hold_columns
goal_id, key, tokens, turns, active_microseconds, cost_microunits, placed_at, placed_at + ttl_microseconds, turn_key,
frees_on_expiry, CASE WHEN state = 'open' AND expires_at <= telic_now() THEN 'expired' ELSE state END

-- fragment: lease_columns
{goal_columns}, lease_worker, lease_token

-- fragment: leased
-- A write under a lease checks it in its own statement; any other write has no token.
(CAST(:lease_token AS BIGINT) IS NULL OR {lease_is_kept})

-- fragment: lease_is_kept
(lease_token = CAST(:lease_token AS BIGINT) AND lease_worker = CAST(:lease_worker AS TEXT)
    AND lease_expires_at > telic_now())

-- fragment: event_columns
goal_id, number, revision, kind, actor, at, key, data, hash

-- fragment: now
-- A goal's own times never run backwards, whatever the wall clock does.
CASE WHEN CAST(:at AS BIGINT) > changed_at THEN CAST(:at AS BIGINT) ELSE changed_at END

-- fragment: next_event
event_hash || '|' || id || '|' || (event_count + 1) || '|' || (revision + 1)

-- fragment: superseded_hash
telic_digest({next_event} || '|paused|' || CAST(:actor AS TEXT) || '|' || {now} || '|'
    || CAST(:superseded_data AS TEXT) || '|')

-- fragment: superseded_columns
status = 'paused', reason = 'superseded', note = NULL, revision = revision + 1, changed_at = {now},
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
AND (CAST(:replaced AS TEXT) IS NULL OR NOT EXISTS (
    SELECT 1 FROM goals AS held
    WHERE held.scope = :scope AND held.status = 'active' AND held.id <> CAST(:replaced AS TEXT)))

-- fragment: created_columns
id, scope, text, criteria, status, reason, note, revision,
token_budget, turn_budget, active_microseconds_budget, cost_microunits_budget,
turns_used, tokens_used, input_tokens_used, cached_input_tokens_used, output_tokens_used,
reasoning_tokens_used, active_microseconds_used, cost_microunits_used,
created_at, changed_at, ended_at, creation_key, event_count, event_hash, turn_hash, billing

-- fragment: created_values
CAST(:id AS TEXT), CAST(:scope AS TEXT), CAST(:text AS TEXT), CAST(:criteria AS TEXT), 'active', NULL, NULL, 1,
CAST(:token_budget AS BIGINT), CAST(:turn_budget AS BIGINT), CAST(:active_microseconds_budget AS BIGINT),
CAST(:cost_microunits_budget AS BIGINT), 0, 0, 0, 0, 0, 0, 0, 0,
CAST(:at AS BIGINT), CAST(:at AS BIGINT), NULL, CAST(:key AS TEXT), 1, CAST(:created_hash AS TEXT), '',
CAST(:billing AS TEXT)

-- fragment: unseen
(CAST(:expected_revision AS BIGINT) IS NULL OR revision = CAST(:expected_revision AS BIGINT))
AND NOT EXISTS (SELECT 1 FROM events WHERE goal_id = :id AND key = :key)

-- fragment: chosen_data
CASE WHEN criteria = '[]' THEN CAST(:data AS TEXT) ELSE CAST(:data_with_criteria AS TEXT) END

-- fragment: transitionable
id = :id AND (status = :source OR status = :other_source OR {stops_waiting})
AND {chosen_data} IS NOT NULL AND {unseen} AND {leased}

-- fragment: stops_waiting
-- A goal that would wake by itself can be paused once more: then it waits for something else, or no longer.
CAST(:status AS TEXT) = 'paused' AND status = 'paused' AND (wake_at IS NOT NULL OR wake_signal IS NOT NULL)

-- fragment: transition_hash
telic_digest({next_event} || '|' || CAST(:kind AS TEXT) || '|' || CAST(:actor AS TEXT) || '|' || {now} || '|'
    || {chosen_data} || '|' || CAST(:key AS TEXT))

-- fragment: transition_columns
status = CAST(:status AS TEXT),
reason = CASE WHEN criteria = '[]' THEN CAST(:reason AS TEXT) ELSE CAST(:reason_with_criteria AS TEXT) END,
note = CAST(:note AS TEXT), wake_at = CAST(:wake_at AS BIGINT), wake_signal = CAST(:wake_signal AS TEXT),
revision = revision + 1, changed_at = {now}, event_count = event_count + 1,
ended_at = CASE WHEN CAST(:ends AS BIGINT) = 1 THEN {now} END

-- fragment: resumable
id = :id AND status = 'paused' AND NOT {exhausted} AND {unseen}
AND (CAST(:replaced AS TEXT) IS NULL OR NOT EXISTS (
    SELECT 1 FROM goals AS held
    WHERE held.scope = goals.scope AND held.status = 'active' AND held.id <> CAST(:replaced AS TEXT)))

-- fragment: resume_hash
telic_digest({next_event} || '|resumed|' || CAST(:actor AS TEXT) || '|' || {now} || '|' || CAST(:data AS TEXT)
    || '|' || CAST(:key AS TEXT))

-- fragment: resume_columns
status = 'active', reason = NULL, note = CAST(:note AS TEXT), wake_at = NULL, wake_signal = NULL, {due_now},
revision = revision + 1, changed_at = {now}, event_count = event_count + 1

-- fragment: next_turn_hash
telic_digest(turn_hash || '|' || id || '|' || (ledger_count + 1) || '|' || {now}
    || '|' || CAST(:label AS TEXT) || {billed} || '|' || CAST(:input_tokens AS BIGINT)
    || '|' || CAST(:cached_input_tokens AS BIGINT) || '|' || CAST(:output_tokens AS BIGINT)
    || '|' || CAST(:reasoning_tokens AS BIGINT) || '|' || CAST(:active_microseconds AS BIGINT)
    || '|' || CAST(:cost_microunits AS BIGINT) || '|' || CAST(:key AS TEXT))

-- fragment: billed
CASE billing WHEN 'without_cached' THEN CAST(:tokens_without_cached AS BIGINT)
    WHEN 'output' THEN CAST(:tokens_of_output AS BIGINT) ELSE CAST(:tokens_of_both AS BIGINT) END

-- fragment: counters_after_turn
ledger_count = ledger_count + 1,
estimated_lines = estimated_lines + CAST(:estimates AS BIGINT),
turns_used = turns_used + CAST(:turns AS BIGINT),
tokens_used = tokens_used + {billed},
input_tokens_used = input_tokens_used + CAST(:input_tokens AS BIGINT),
cached_input_tokens_used = cached_input_tokens_used + CAST(:cached_input_tokens AS BIGINT),
output_tokens_used = output_tokens_used + CAST(:output_tokens AS BIGINT),
reasoning_tokens_used = reasoning_tokens_used + CAST(:reasoning_tokens AS BIGINT),
active_microseconds_used = active_microseconds_used + CAST(:active_microseconds AS BIGINT),
cost_microunits_used = cost_microunits_used + CAST(:cost_microunits AS BIGINT)

-- fragment: turn_values
:key, {now}, {billed}, CAST(:input_tokens AS BIGINT), CAST(:cached_input_tokens AS BIGINT),
CAST(:output_tokens AS BIGINT), CAST(:reasoning_tokens AS BIGINT), CAST(:active_microseconds AS BIGINT),
CAST(:cost_microunits AS BIGINT)

-- fragment: room
-- What is used, held and asked for together stays within each budget that is set.
COALESCE(tokens_used + {held_tokens} + CAST(:tokens AS BIGINT) <= token_budget, TRUE)
AND COALESCE(turns_used + {held_turns} + CAST(:turns AS BIGINT) <= turn_budget, TRUE)
AND COALESCE(active_microseconds_used + {held_active_microseconds} + CAST(:active_microseconds AS BIGINT)
    <= active_microseconds_budget, TRUE)
AND COALESCE(cost_microunits_used + {held_cost_microunits} + CAST(:cost_microunits AS BIGINT)
    <= cost_microunits_budget, TRUE)

-- fragment: holdable
id = :id AND status = 'active' AND {leased}
AND NOT EXISTS (SELECT 1 FROM holds WHERE goal_id = :id AND key = :key)

-- fragment: placed_columns
goal_id, key, tokens, turns, active_microseconds, cost_microunits, placed_at, expires_at, state, frees_on_expiry,
ttl_microseconds

-- fragment: placed_values
id, CAST(:key AS TEXT), CAST(:tokens AS BIGINT), CAST(:turns AS BIGINT), CAST(:active_microseconds AS BIGINT),
CAST(:cost_microunits AS BIGINT), CAST(:at AS BIGINT), telic_now() + CAST(:ttl_microseconds AS BIGINT), 'open',
CAST(:frees_on_expiry AS BIGINT), CAST(:ttl_microseconds AS BIGINT)

-- fragment: hold_is_open
-- One that its expiry does not free can be settled and released until its estimate is in the ledger.
key = CAST(:hold AS TEXT) AND state = 'open' AND (expires_at > telic_now() OR frees_on_expiry = 0)

-- fragment: settled_as
CASE WHEN CAST(:is_estimate AS BIGINT) = 1 THEN 'estimated' ELSE 'settled' END

-- fragment: is_overdue
-- Expired, and not yet a line of the ledger.
state = 'open' AND frees_on_expiry = 0 AND expires_at <= (SELECT telic_now())

-- fragment: ended_overdue
-- What expired holds of goals that have ended reserved, for nobody any more: of one goal, or of any.
FROM holds WHERE {is_overdue} AND (CAST(:id AS TEXT) IS NULL OR goal_id = CAST(:id AS TEXT))
AND EXISTS (SELECT 1 FROM goals WHERE goals.id = goal_id AND ended_at IS NOT NULL)

-- fragment: has_overdue
EXISTS (SELECT 1 FROM holds WHERE goal_id = :id AND {is_overdue})

-- fragment: granted
-- A token is above those that were granted before, also where they were lost with what was written since a backup.
lease_worker = CAST(:worker AS TEXT), lease_token = {next_token},
lease_expires_at = telic_now() + CAST(:ttl_microseconds AS BIGINT)

-- fragment: grantable
-- A goal that nobody drives can be claimed by its name also while its next step is not due.
status = 'active' AND (lease_expires_at <= telic_now() OR lease_worker IS NULL OR lease_worker = CAST(:worker AS TEXT))

-- fragment: due_now
-- What a person changed is due at once: the pause belonged to what the loop did before.
lease_expires_at = CASE WHEN lease_worker IS NULL AND lease_expires_at > telic_now() THEN telic_now()
    ELSE lease_expires_at END

-- fragment: feed_columns
events.goal_id, events.number, events.revision, events.kind, events.actor, events.at, events.key, events.data,
events.hash

-- fragment: of_interest
(CAST(:scope AS TEXT) IS NULL OR scope = CAST(:scope AS TEXT))
AND (CAST(:goal_id AS TEXT) IS NULL OR events.goal_id = CAST(:goal_id AS TEXT))

-- fragment: feed_end
-- The last row has no event: it says up to where the database was looked at, and which database it is.
UNION ALL
SELECT upper_bound, CASE WHEN {was_here} THEN id END, NULL, {mark}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM bounds, store_identity

-- fragment: mark
-- The beginning of the hash of the last event that a snapshot sees: in a database that was set back, the event of this
-- number is missing or another.
(SELECT substr(hash, 1, 16) FROM events WHERE sequence = {upper_sequence})

-- fragment: was_here
-- Whether the cursor's positions are of this database as it is now; one that an earlier release wrote has no mark.
(CAST(:before_mark AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM events
    WHERE sequence = CAST(:before_sequence AS BIGINT) AND substr(hash, 1, 16) = CAST(:before_mark AS TEXT)))
AND (CAST(:until_mark AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM events
    WHERE sequence = CAST(:until_sequence AS BIGINT) AND substr(hash, 1, 16) = CAST(:until_mark AS TEXT)))

-- fragment: page
ORDER BY sequence DESC LIMIT :limit

-- fragment: listed
SELECT sequence, {lease_columns}, lease_expires_at - telic_now() FROM goals
WHERE sequence > :above AND sequence < :below AND {wanted}

-- fragment: wanted
(CAST(:text AS TEXT) IS NULL OR {text_matches})
AND (CAST(:reason AS TEXT) IS NULL OR reason = CAST(:reason AS TEXT))
AND (CAST(:worker AS TEXT) IS NULL OR (lease_worker = CAST(:worker AS TEXT) AND lease_expires_at > telic_now()))

-- fragment: oldest_first
ORDER BY sequence LIMIT :limit

-- fragment: ledger_columns
sequence, id, scope, changed_at, ledger_count, turns_used, tokens_used, input_tokens_used, cached_input_tokens_used,
output_tokens_used, reasoning_tokens_used, active_microseconds_used, cost_microunits_used

-- fragment: counter_sums
-- Upper and lower halves are added up apart, because whole sums may not fit 64 bits.
CAST(SUM(tokens >> 32) AS BIGINT), CAST(SUM(tokens & 4294967295) AS BIGINT),
CAST(SUM(input_tokens >> 32) AS BIGINT), CAST(SUM(input_tokens & 4294967295) AS BIGINT),
CAST(SUM(cached_input_tokens >> 32) AS BIGINT), CAST(SUM(cached_input_tokens & 4294967295) AS BIGINT),
CAST(SUM(output_tokens >> 32) AS BIGINT), CAST(SUM(output_tokens & 4294967295) AS BIGINT),
CAST(SUM(reasoning_tokens >> 32) AS BIGINT), CAST(SUM(reasoning_tokens & 4294967295) AS BIGINT),
CAST(SUM(active_microseconds >> 32) AS BIGINT), CAST(SUM(active_microseconds & 4294967295) AS BIGINT),
CAST(SUM(cost_microunits >> 32) AS BIGINT), CAST(SUM(cost_microunits & 4294967295) AS BIGINT)

-- fragment: turns_counted
CASE WHEN kind <> 'work' THEN 0 WHEN takes_back IS NULL THEN 1 ELSE -1 END

-- fragment: estimate_sums
SUM(CASE WHEN takes_back IS NULL THEN 1 ELSE -1 END), {reserved_sums}

-- fragment: reserved_sums
CAST(SUM(tokens >> 32) AS BIGINT), CAST(SUM(tokens & 4294967295) AS BIGINT),
CAST(SUM(active_microseconds >> 32) AS BIGINT), CAST(SUM(active_microseconds & 4294967295) AS BIGINT),
CAST(SUM(cost_microunits >> 32) AS BIGINT), CAST(SUM(cost_microunits & 4294967295) AS BIGINT)

-- fragment: group_name
-- A day is given by its number since the epoch.
CASE CAST(:grouping AS TEXT) WHEN 'goal' THEN goal_id WHEN 'kind' THEN kind WHEN 'model' THEN model
    ELSE CAST(at / 86400000000 AS TEXT) END

-- statement: goals.get
SELECT {goal_columns} FROM goals WHERE id = :id

-- statement: goals.active
SELECT {goal_columns} FROM goals WHERE scope = :scope AND status = 'active'

-- statement: goals.find
SELECT {goal_columns} FROM goals WHERE id >= :first AND id < :last ORDER BY id LIMIT :limit

-- statement: goals.find_by_end
-- No index finds the end of an id; only what a person has typed comes here, and only where nothing begins like it.
-- The ids alone are searched, in their index: whole rows are many times as long.
SELECT {goal_columns} FROM goals WHERE id IN (SELECT id FROM goals WHERE id LIKE :pattern ORDER BY id LIMIT :limit)
ORDER BY id

-- statement: goals.list
{listed} {page}

-- statement: goals.list_with_status
{listed} AND status = :status {page}

-- statement: goals.list_in_scope
{listed} AND scope = :scope {page}

-- statement: goals.list_in_scope_with_status
{listed} AND scope = :scope AND status = :status {page}

-- statement: goals.list_oldest
{listed} {oldest_first}

-- statement: goals.list_oldest_with_status
{listed} AND status = :status {oldest_first}

-- statement: goals.list_oldest_in_scope
{listed} AND scope = :scope {oldest_first}

-- statement: goals.list_oldest_in_scope_with_status
{listed} AND scope = :scope AND status = :status {oldest_first}

-- statement: goals.list_changed
-- A goal's last event, and no other, has the number that the goal counts.
SELECT changed, {lease_columns}, lease_expires_at - telic_now()
FROM (
    SELECT sequence AS changed, goal_id AS changed_id, number AS changed_number FROM events
    WHERE sequence > :above AND sequence < :below
) AS change {then_each} JOIN goals ON id = changed_id AND event_count = changed_number
WHERE {wanted} AND (CAST(:scope AS TEXT) IS NULL OR scope = CAST(:scope AS TEXT))
AND (CAST(:status AS TEXT) IS NULL OR status = CAST(:status AS TEXT))
ORDER BY changed DESC LIMIT :limit

-- statement: goals.newest_numbers
SELECT COALESCE((SELECT MAX(sequence) FROM goals), 0), COALESCE((SELECT MAX(sequence) FROM events), 0)

-- statement: goals.count_with_status
SELECT COUNT(*) FROM (SELECT sequence FROM goals WHERE status = :status ORDER BY sequence DESC LIMIT :limit) AS counted

-- statement: goals.count_in_scope
SELECT SUM(CASE WHEN status = 'active' THEN 1 ELSE 0 END), SUM(CASE WHEN status = 'paused' THEN 1 ELSE 0 END),
    SUM(CASE WHEN status = 'completed' THEN 1 ELSE 0 END), SUM(CASE WHEN status = 'cleared' THEN 1 ELSE 0 END)
FROM (SELECT status FROM goals WHERE scope = :scope ORDER BY sequence DESC LIMIT :limit) AS counted

-- statement: goals.created_with
SELECT {goal_columns} FROM goals WHERE scope = :scope AND creation_key = :key

-- statement: goals.redefine
-- The row is locked, and what changes was decided from it; one event of kind :kind follows by events.append.
UPDATE goals SET text = :text, criteria = :criteria, token_budget = :token_budget, turn_budget = :turn_budget,
    active_microseconds_budget = :active_microseconds_budget, cost_microunits_budget = :cost_microunits_budget,
    status = :status, reason = :reason, note = :note, wake_at = NULL, wake_signal = NULL, {due_now},
    revision = revision + 1, changed_at = {now},
    ended_at = CASE WHEN CAST(:ends AS BIGINT) = 1 THEN {now} END, event_count = event_count + 1,
    event_hash = telic_digest({next_event} || '|' || CAST(:kind AS TEXT) || '|' || CAST(:actor AS TEXT) || '|' || {now}
        || '|' || CAST(:data AS TEXT) || '|' || COALESCE(CAST(:key AS TEXT), ''))
WHERE id = :id
RETURNING {goal_columns}

-- statement: goals.remark
-- The row is locked; one event of kind :kind follows by events.append, which changes nothing else.
UPDATE goals SET changed_at = {now}, event_count = event_count + 1,
    event_hash = telic_digest(event_hash || '|' || id || '|' || (event_count + 1) || '|' || revision || '|'
        || CAST(:kind AS TEXT) || '|' || CAST(:actor AS TEXT) || '|' || {now} || '|' || CAST(:data AS TEXT) || '|'
        || CAST(:key AS TEXT))
WHERE id = :id
RETURNING {goal_columns}

-- statement: events.append
-- Writes down the change that goals.redefine or goals.remark has just made.
INSERT INTO events ({event_columns})
SELECT id, event_count, revision, :kind, :actor, changed_at, CAST(:key AS TEXT), :data, event_hash
FROM goals WHERE id = :id
RETURNING number

-- statement: events.with_key
SELECT {event_columns} FROM events WHERE goal_id = :id AND key = :key

-- statement: events.page
SELECT {event_columns} FROM events WHERE goal_id = :id AND number > :after ORDER BY number LIMIT :limit

-- statement: events.before
SELECT {event_columns} FROM events WHERE goal_id = :id AND number < :before ORDER BY number DESC LIMIT :limit

-- statement: events.kind_before
-- The event that gave the goal the status it had before the event of this number.
SELECT kind FROM events WHERE goal_id = :id AND number < :number
AND (kind = 'created' OR kind = 'resumed' OR kind = 'paused') ORDER BY number DESC LIMIT 1

-- statement: feed.status_counts
-- Of one moment, as one statement is; the last row says up to where the feed was at that moment.
WITH bounds AS ({feed_bounds})
SELECT status, COUNT(*), NULL, NULL, NULL FROM goals GROUP BY status
UNION ALL
SELECT NULL, NULL, upper_bound, id, {mark} FROM bounds, store_identity

-- statement: loop.get
SELECT state FROM loop_states WHERE goal_id = :id

-- statement: loop.leased
SELECT goal_id, lease_worker, state, {wall_now} FROM goals JOIN loop_states ON goal_id = id
WHERE status = 'active' AND lease_worker IS NOT NULL AND lease_expires_at > telic_now()

-- statement: loop.put
INSERT INTO loop_states (goal_id, state, lease_token, updated_at)
SELECT id, :state, lease_token, :at FROM goals WHERE id = :id AND {leased}
ON CONFLICT (goal_id) DO UPDATE SET state = excluded.state, lease_token = excluded.lease_token,
    updated_at = excluded.updated_at
RETURNING goal_id

-- statement: turns.with_key
SELECT {turn_columns} FROM turns WHERE goal_id = :id AND key = :key

-- statement: turns.page
SELECT {turn_columns} FROM turns WHERE goal_id = :id AND number > :after ORDER BY number LIMIT :limit

-- statement: holds.get
SELECT {hold_columns} FROM holds WHERE goal_id = :id AND key = :key

-- statement: holds.page
SELECT {hold_columns} FROM holds WHERE goal_id = :id AND key > :after ORDER BY key LIMIT :limit

-- statement: holds.overdue
SELECT {hold_columns} FROM holds WHERE goal_id = :id AND {is_overdue} ORDER BY expires_at, key LIMIT :limit

-- statement: holds.goals_with_overdue
-- Passed over are goals that somebody else is just writing: whoever does sees the same.
WITH due AS MATERIALIZED (
    SELECT goal_id AS due_id FROM holds WHERE {is_overdue} ORDER BY expires_at LIMIT :limit
)
SELECT {goal_columns} FROM goals WHERE {is_due} {skip_locked}

-- statement: holds.has_ended_overdue
SELECT 1 {ended_overdue} ORDER BY expires_at LIMIT 1

-- statement: holds.ended_goals_with_overdue
WITH due AS MATERIALIZED (SELECT goal_id AS due_id {ended_overdue} ORDER BY expires_at LIMIT :limit)
SELECT {goal_columns} FROM goals WHERE {is_due} {skip_locked}

-- statement: holds.settle_again
-- The hold's estimate was taken back; another line, or none, stands for it.
UPDATE holds SET state = CAST(:state AS TEXT), turn_key = CAST(:turn_key AS TEXT)
WHERE goal_id = :id AND key = CAST(:hold AS TEXT) AND state = 'estimated'
RETURNING {hold_columns}

-- statement: holds.unsettled
SELECT {hold_columns} FROM holds {by_those_open} WHERE goal_id = :id AND state = 'open' ORDER BY expires_at LIMIT :limit

-- statement: turns.course
-- Lines next to one another are added up; the sums cannot be larger than the goal's counters.
SELECT (number - 1) / CAST(:lines AS BIGINT), COUNT(*), MAX(at), CAST(SUM(tokens) AS BIGINT),
    CAST(SUM(cost_microunits) AS BIGINT), CAST(SUM(active_microseconds) AS BIGINT)
FROM turns WHERE goal_id = :id AND number > :after GROUP BY 1 ORDER BY 1

-- statement: holds.release
UPDATE holds SET state = 'released'
WHERE goal_id = :id AND {hold_is_open} AND EXISTS (SELECT 1 FROM goals WHERE id = :id AND {leased})
RETURNING {hold_columns}

-- statement: holds.raise
-- Without a look at the budget: what it is raised to is used already.
UPDATE holds SET
    tokens = CASE WHEN tokens < CAST(:tokens AS BIGINT) THEN CAST(:tokens AS BIGINT) ELSE tokens END,
    active_microseconds = CASE WHEN active_microseconds < CAST(:active_microseconds AS BIGINT)
        THEN CAST(:active_microseconds AS BIGINT) ELSE active_microseconds END,
    cost_microunits = CASE WHEN cost_microunits < CAST(:cost_microunits AS BIGINT)
        THEN CAST(:cost_microunits AS BIGINT) ELSE cost_microunits END
WHERE goal_id = :id AND {hold_is_open} AND EXISTS (SELECT 1 FROM goals WHERE id = :id AND {leased})
RETURNING key

-- statement: leases.claim
UPDATE goals SET {granted} WHERE id = :id AND {grantable} RETURNING {lease_columns}

-- statement: leases.claim_scope
UPDATE goals SET {granted} WHERE scope = :scope AND {grantable} RETURNING {lease_columns}

-- statement: leases.claim_due
-- What a worker left behind by dying comes first: it was begun, and has waited for a whole lease. Then whoever was
-- served longest ago: a lease that ends, or the pause after it, leaves its moment behind.
WITH left_behind AS MATERIALIZED (
    SELECT id AS due_id FROM goals {those_with_workers}
    WHERE status = 'active' AND lease_worker IS NOT NULL AND lease_expires_at <= (SELECT telic_now())
    ORDER BY lease_expires_at LIMIT :limit {skip_locked}
), waiting AS MATERIALIZED (
    SELECT id AS due_id FROM goals {in_order_of_service}
    WHERE status = 'active' AND lease_worker IS NULL AND lease_expires_at <= (SELECT telic_now())
    ORDER BY lease_expires_at, sequence LIMIT :limit {skip_locked}
), due AS MATERIALIZED (
    SELECT due_id FROM left_behind UNION ALL SELECT due_id FROM waiting LIMIT :limit
)
UPDATE goals SET {granted} WHERE {is_due} RETURNING {lease_columns}

-- statement: leases.claim_due_in_scope
UPDATE goals SET {granted} WHERE scope = :scope AND status = 'active' AND lease_expires_at <= telic_now()
RETURNING {lease_columns}

-- statement: leases.renew
UPDATE goals SET lease_expires_at = telic_now() + CAST(:ttl_microseconds AS BIGINT)
WHERE id = :id AND {lease_is_kept} RETURNING {lease_columns}

-- statement: leases.release
-- Again nothing changes, unless the goal was granted to another since.
UPDATE goals SET lease_expires_at = CASE WHEN lease_worker IS NULL THEN lease_expires_at
    ELSE telic_now() + CAST(:pause_microseconds AS BIGINT) END, lease_worker = NULL
WHERE id = :id AND ({lease_is_kept} OR lease_worker IS NULL AND lease_token = CAST(:lease_token AS BIGINT)) RETURNING {goal_columns}

-- statement: leases.get
SELECT {goal_columns}, lease_worker, lease_token, lease_expires_at - telic_now() FROM goals WHERE id = :id

-- statement: waits.due
SELECT {goal_columns} FROM goals WHERE wake_at <= (SELECT {wall_now})
AND (CAST(:scope AS TEXT) IS NULL OR scope = CAST(:scope AS TEXT)) ORDER BY wake_at LIMIT :limit {skip_locked}

-- statement: waits.now
SELECT {wall_now}

-- statement: waits.signalled
-- Waits for a locked goal: a signal is given once, so one that was passed over would sleep on.
SELECT {goal_columns} FROM goals WHERE wake_signal = :signal ORDER BY id LIMIT :limit {and_lock}

-- statement: reports.goal
SELECT {ledger_columns} FROM goals WHERE id = :id

-- statement: reports.goals
SELECT {ledger_columns} FROM goals WHERE sequence > :after ORDER BY sequence LIMIT :limit

-- statement: reports.goals_in_scope
SELECT {ledger_columns} FROM goals WHERE scope = :scope AND sequence > :after ORDER BY sequence LIMIT :limit

-- statement: reports.ledger
SELECT {group_name}, COUNT(*), SUM({turns_counted}), {counter_sums}
FROM turns WHERE {of_chosen_goals} AND number > :after AND number <= :last AND at >= :since AND at < :until
GROUP BY 1

-- statement: reports.estimates
-- A line that takes an estimate back counts as one line less.
SELECT {group_name}, {estimate_sums}
FROM turns {by_those_estimated} WHERE is_estimate = 1 AND {of_chosen_goals} AND number > :after AND number <= :last AND at >= :since AND at < :until
GROUP BY 1

-- statement: reports.holds
-- Those that no turn has settled and nobody released: open still, or expired.
SELECT goal_id, expires_at > telic_now(), COUNT(*), {reserved_sums}
FROM holds {by_those_open} WHERE state = 'open' AND {of_chosen_goals} AND placed_at >= :since AND placed_at < :until
GROUP BY 1, 2

-- statement: identity.get
SELECT id, secret FROM store_identity

-- statement: records.ids
SELECT sequence, id FROM goals WHERE sequence > :after ORDER BY sequence LIMIT :limit

-- statement: records.get
-- A goal with its chain heads.
SELECT {goal_columns}, creation_key, event_count, event_hash, ledger_count, turn_hash FROM goals WHERE id = :id

-- statement: records.insert_goal
INSERT INTO goals ({created_columns}, wake_at, wake_signal, ledger_count, estimated_lines) VALUES (:id, :scope, :text, :criteria, :status, :reason, :note, :revision,
    :token_budget, :turn_budget, :active_microseconds_budget, :cost_microunits_budget,
    :turns_used, :tokens_used, :input_tokens_used, :cached_input_tokens_used, :output_tokens_used,
    :reasoning_tokens_used, :active_microseconds_used, :cost_microunits_used,
    :created_at, :updated_at, :ended_at, :creation_key, :event_count, :event_hash, :turn_hash, :billing,
    :wake_at, :wake_signal, :ledger_count, :estimated_lines)
RETURNING id

-- statement: records.insert_event
INSERT INTO events ({event_columns})
VALUES (:goal_id, :number, :revision, :kind, :actor, :at, :key, :data, :hash)
RETURNING number

-- statement: records.insert_turn
INSERT INTO turns ({turn_columns})
VALUES (:goal_id, :number, :key, :at, :tokens, :input_tokens, :cached_input_tokens, :output_tokens,
    :reasoning_tokens, :active_microseconds, :cost_microunits, :hash, :kind, :model, :is_estimate, :takes_back)
RETURNING number

-- statement: records.lines_without_goal
-- Events and turns whose goal is gone: foreign keys forbid them, a damaged or edited database may have them.
SELECT 'event', goal_id, number FROM events WHERE NOT EXISTS (SELECT 1 FROM goals WHERE id = goal_id)
UNION ALL
SELECT 'turn', goal_id, number FROM turns WHERE NOT EXISTS (SELECT 1 FROM goals WHERE id = goal_id)
LIMIT :limit
