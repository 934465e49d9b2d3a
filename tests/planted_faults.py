"""Shows that the tests have teeth: each planted fault, alone, must turn them red.

Run by `make faults`. Each fault replaces one text in a copy of the source tree and runs the named tests on the
copy; the command fails if any fault goes unnoticed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SQL = "src/telic/storage/sql"
PROMPT = "src/telic/prompt"
ACCOUNTING = "src/telic/accounting"
OBSERVE = "src/telic/observability"
LOOP = "tests/loop_driver"
BOTH = ("sqlite", "postgres")


@dataclass(frozen=True)
class Fault:
    """One rule broken on purpose: `before` becomes `after` in each of the files."""

    name: str
    files: tuple[str, ...]
    before: str
    after: str
    tests: str


def migrations() -> tuple[str, ...]:
    return tuple(f"{SQL}/migrations/{dialect}/0001_initial.sql" for dialect in BOTH)


FAULTS = (
    Fault(
        "the single-active index is not unique",
        (*migrations(),),
        "CREATE UNIQUE INDEX goals_single_active",
        "CREATE INDEX goals_single_active",
        "tests/crash/test_rivals.py -k at_once",
    ),
    Fault(
        "the revision is not guarded",
        (f"{SQL}/common.sql",),
        "OR revision = CAST(:expected_revision AS BIGINT))",
        "OR CAST(:expected_revision AS BIGINT) > 0)",
        "tests/contract/test_contract.py -k stale",
    ),
    Fault(
        "a turn raises the revision",
        (f"{SQL}/common.sql",),
        "ledger_count = ledger_count + 1,\n",
        "ledger_count = ledger_count + 1, revision = revision + 1,\n",
        "tests/contract/test_contract.py -k stale",
    ),
    Fault(
        "a repeated turn is counted again",
        (f"{SQL}/sqlite.sql",),
        "AND NOT EXISTS (SELECT 1 FROM turns WHERE goal_id = :id AND key = :key)",
        "",
        "tests/contract/test_contract.py -k 'repeated_turn and sqlite'",
    ),
    Fault(
        "transactions begin deferred",
        ("src/telic/storage/drivers/sqlite_database.py",),
        '"BEGIN IMMEDIATE"',
        '"BEGIN DEFERRED"',
        "tests/crash/test_rivals.py -k foreign",
    ),
    Fault(
        "the key of a transition is ignored",
        (f"{SQL}/common.sql",),
        "AND NOT EXISTS (SELECT 1 FROM events WHERE goal_id = :id AND key = :key)",
        "",
        "tests/contract/test_contract.py -k 'key'",
    ),
    Fault(
        "a turn on a paused goal is dropped",
        (f"{SQL}/sqlite.sql",),
        "FROM goals WHERE id = :id AND NOT EXISTS (SELECT 1 FROM turns",
        "FROM goals WHERE id = :id AND status = 'active' AND NOT EXISTS (SELECT 1 FROM turns",
        "tests/contract/test_contract.py -k 'still_counted and sqlite'",
    ),
    Fault(
        "the budget is reached one unit late",
        (f"{SQL}/common.sql",),
        "tokens_used >= token_budget",
        "tokens_used > token_budget",
        "tests/contract/test_contract.py -k 'reaches_a_budget and sqlite'",
    ),
    Fault(
        "resume does not look at the budget",
        (f"{SQL}/common.sql",),
        "AND NOT {exhausted} AND {unseen}",
        "AND {unseen}",
        "tests/contract/test_contract.py -k over_budget",
    ),
    Fault(
        "resume leaves the other goal active",
        (f"{SQL}/sqlite.sql",),
        "WHERE scope = (SELECT scope FROM goals WHERE id = :id) AND status = 'active' AND changes() = 1;",
        "WHERE scope = (SELECT scope FROM goals WHERE id = :id) AND status = 'cleared' AND changes() = 1;",
        "tests/contract/test_contract.py -k 'swaps and sqlite'",
    ),
    Fault(
        "an unknown status becomes active",
        ("src/telic/storage/records.py",),
        "_STATES[goal.status, goal.reason]",
        "_STATES.get((goal.status, goal.reason), (GoalStatus.ACTIVE, None, False))",
        "tests/contract/test_malformed_rows.py",
    ),
    Fault(
        "the event's hash leaves out its data",
        (f"{SQL}/common.sql",),
        "|| {chosen_data} || '|' || CAST(:key AS TEXT))",
        "|| '|' || CAST(:key AS TEXT))",
        "tests/contract/test_contract.py -k replaying",
    ),
    Fault(
        "writes are acknowledged before they are committed",
        ("src/telic/storage/drivers/sqlite.py",),
        "self.database.commit(key)\n        return result",
        "return result",
        "tests/contract/test_contract.py -k 'counters and sqlite-blocking'",
    ),
    Fault(
        "a moved file is written on",
        ("src/telic/storage/drivers/sqlite_database.py",),
        "if self.has_moved():",
        "if False:",
        "tests/crash/test_moved_file.py",
    ),
    Fault(
        "a failing operation rolls back its whole batch, silently",
        ("src/telic/storage/drivers/sqlite_async.py",),
        'transaction.execute("ROLLBACK TO call")',
        'transaction.execute("ROLLBACK"), transaction.execute("BEGIN"), transaction.execute("SAVEPOINT call")',
        "tests/crash -k 'batch'",
    ),
    Fault(
        "an error on commit counts as a failure",
        ("src/telic/storage/drivers/postgres_server.py",),
        "return OutcomeUnknown(key) if may_have_written else lost",
        "return lost",
        "tests/postgres -k 'reply or lost_replies'",
    ),
    Fault(
        "a lone surrogate gets in",
        ("src/telic/domain/limits.py",),
        "value.encode()",
        "value.encode(errors='surrogatepass')",
        "tests/contract/test_contract.py -k ill_formed",
    ),
    Fault(
        "true counts as one",
        ("src/telic/domain/limits.py",),
        "if type(value) is not int:",
        "if not isinstance(value, int):",
        "tests/contract/test_contract.py -k bad_number",
    ),
    Fault(
        "a look-alike of an angle bracket is shown in a prompt",
        (f"{PROMPT}/escape.py",),
        "for code in _disguised():",
        "for code in ():",
        "tests/prompt/test_quote.py -k hostile",
    ),
    Fault(
        "a mark that swallows a tag's bracket is shown in a prompt",
        (f"{PROMPT}/escape.py",),
        "(0x0300, 0x036F), ",
        "",
        "tests/prompt/test_quote.py -k 'hostile or combines'",
    ),
    Fault(
        "an unassigned character is shown in a prompt",
        (f"{PROMPT}/escape.py",),
        "bytearray(map(str.isprintable, map(chr, range(_EMPTY_FROM))))",
        "bytearray([1]) * _EMPTY_FROM",
        "tests/prompt/test_quote.py -k hostile",
    ),
    Fault(
        "a note gets into the block as it is",
        (f"{PROMPT}/texts.py",),
        "{quote(goal.note)}",
        "{goal.note}",
        "tests/prompt/test_block.py",
    ),
    Fault(
        "the boundary can be guessed",
        (f"{PROMPT}/texts.py",),
        "hmac.new(secret, message",
        "hmac.new(bytes(32), message",
        "tests/prompt/test_block.py",
    ),
    Fault(
        "the block counts every token",
        ("src/telic/wording/amounts.py",),
        "step = max(1, limit // BUDGET_STEPS)",
        "step = 1",
        "tests/prompt/test_block.py",
    ),
    Fault(
        "bidirectional characters reach the terminal",
        (f"{PROMPT}/escape.py",),
        "or not (character.isprintable() or character in _SPACES)",
        "",
        "tests/interfaces/test_command.py -k hostile",
    ),
    Fault(
        "a verification of another revision counts",
        ("src/telic/domain/verification.py",),
        "verdict.revision != self.revision or ",
        "",
        "tests/unit/test_verdicts.py",
    ),
    Fault(
        "a criterion that was not reached counts as passed",
        ("src/telic/domain/verification.py",),
        "is_whole = 0 < len(self.criterion_hashes) == len(self.verdicts)",
        "is_whole = 0 < len(self.criterion_hashes)",
        "tests/unit/test_verdicts.py",
    ),
    Fault(
        "a judge that contradicts itself is believed",
        ("src/telic/loop/verification/evidence.py",),
        "if verdict is JudgeVerdict.YES and problems:",
        "if False:",
        "tests/unit/test_judge_answer.py",
    ),
    Fault(
        "a judge that fails says no",
        ("src/telic/loop/verification/judge.py",),
        "outcome=Outcome.ERROR if given_up else",
        "outcome=Outcome.FAILED if given_up else",
        "tests/verification/test_model_judge.py -k outage",
    ),
    Fault(
        "the judge sees the beginning of the work",
        ("src/telic/loop/verification/evidence.py",),
        "storable_tail(work.text, WORK_CHARS)",
        "work.text[:WORK_CHARS]",
        "tests/verification/test_model_judge.py -k sent",
    ),
    Fault(
        "looking at a workspace runs what its settings name",
        ("src/telic/loop/workspace.py",),
        '*("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),',
        "",
        "tests/verification/test_workspace.py -k settings",
    ),
    Fault(
        "a turn is kept in memory only",
        (f"{ACCOUNTING}/outbox.py",),
        "self._own is not None and not self._memory",
        "self._own is None and not self._memory",
        "tests/accounting/test_journal.py -k killed_one",
    ),
    Fault(
        "a child keeps its parent's journal open",
        (f"{ACCOUNTING}/base.py",),
        "        self._state.outbox.leave_to_parent()\n",
        "",
        "tests/accounting/test_outages.py -k outlives",
    ),
    Fault(
        "a journal is taken over while its owner lives",
        (f"{ACCOUNTING}/journal.py",),
        "        except OSError:\n            return False\n",
        "        except OSError:\n            pass\n",
        "tests/accounting/test_journal.py -k living",
    ),
    Fault(
        "a snapshot counts a turn twice while it is stored",
        (f"{ACCOUNTING}/state.py",),
        "is_clear = writes == self._writes and not self._is_writing",
        "is_clear = True",
        "tests/accounting/test_snapshots.py -k live",
    ),
    Fault(
        "a cached goal is used after a change",
        (f"{ACCOUNTING}/state.py",),
        "return self._token == token and not self.is_stale",
        "return self._token is not None",
        "tests/accounting/test_snapshots.py -k acknowledged",
    ),
    Fault(
        "a line's checksum is not compared",
        (f"{ACCOUNTING}/turn_record.py",),
        'if checksum != b"%08x" % crc32(text):',
        "if not checksum:",
        "tests/accounting/test_journal.py -k altered",
    ),
    Fault(
        "a turn's key changes with each attempt",
        (f"{ACCOUNTING}/async_flusher.py", f"{ACCOUNTING}/flusher.py"),
        "hold=hold, key=turn.key",
        "hold=hold, key=turn.key + str(time.monotonic())",
        "tests/accounting/test_turns.py -k once",
    ),
    Fault(
        "what others hold is not counted",
        (f"{SQL}/common.sql",),
        "tokens_used + {held_tokens} + CAST(:tokens AS BIGINT) <= token_budget",
        "tokens_used + CAST(:tokens AS BIGINT) <= token_budget",
        "tests/sharing/test_holds.py -k 'never_overspend and blocking'",
    ),
    Fault(
        "what is held is added up before the goal is locked",
        (f"{SQL}/migrations/postgres/0004_estimates.sql",),
        ") LANGUAGE plpgsql VOLATILE AS",
        ") LANGUAGE plpgsql STABLE AS",
        "tests/sharing/test_holds.py -k waited",
    ),
    Fault(
        "a hold never expires",
        (f"{SQL}/sqlite.sql",),
        "OR goal_id = :id AND state = 'open' AND frees_on_expiry = 0",
        "OR goal_id = :id AND state = 'open'",
        "tests/contract/test_contract.py -k 'expired_hold_frees and sqlite'",
    ),
    Fault(
        "an expired hold is free before it is counted",
        (f"{SQL}/sqlite.sql",),
        "    OR goal_id = :id AND state = 'open' AND frees_on_expiry = 0\n",
        "",
        "tests/contract/test_contract.py -k 'goes_on_reserving and sqlite'",
    ),
    Fault(
        "an estimate is counted beside the turn that it stood for",
        ("src/telic/storage/operations/estimates.py",),
        "    await _take_back(tx, call, estimate)\n    state =",
        "    state =",
        "tests/contract/test_contract.py -k 'takes_the_place and sqlite'",
    ),
    Fault(
        "a hold can be settled twice",
        (f"{SQL}/common.sql",),
        "key = CAST(:hold AS TEXT) AND state = 'open' AND (expires_at > telic_now() OR frees_on_expiry = 0)",
        "key = CAST(:hold AS TEXT)",
        "tests/sharing/test_holds.py -k 'settled_by_one_turn'",
    ),
    Fault(
        "a repeated turn whose hold is settled is refused",
        ("src/telic/storage/operations/ledger.py",),
        'raise Raced("the same turn was recorded while this one was being refused")',
        "pass",
        "tests/sharing/test_holds.py -k same_turn",
    ),
    Fault(
        "the fencing token is not compared",
        (f"{SQL}/common.sql",),
        "(lease_token = CAST(:lease_token AS BIGINT) AND lease_worker",
        "(CAST(:lease_token AS BIGINT) > 0 AND lease_worker",
        "tests/contract/test_contract.py -k claims_again",
    ),
    Fault(
        "a write under a lease does not look at its expiry",
        (f"{SQL}/common.sql",),
        "    AND lease_expires_at > telic_now())",
        "    )",
        "tests/contract/test_contract.py -k 'expired_lease'",
    ),
    Fault(
        "turns are recorded without the lease",
        (f"{SQL}/common.sql",),
        "(CAST(:lease_token AS BIGINT) IS NULL OR {lease_is_kept})",
        "(CAST(:lease_token AS BIGINT) IS NULL OR CAST(:lease_token AS BIGINT) > 0)",
        "tests/sharing/test_leases.py -k 'stopped_past'",
    ),
    Fault(
        "a lease is granted while another worker has it",
        (f"{SQL}/common.sql",),
        "status = 'active' AND (lease_expires_at <= telic_now() OR lease_worker IS NULL",
        "status = 'active' AND (lease_expires_at > 0 OR lease_worker IS NULL",
        "tests/sharing/test_leases.py -k 'one_of_many_claimers'",
    ),
    Fault(
        "due goals are granted in the order in which they were made",
        (f"{SQL}/common.sql",),
        "ORDER BY lease_expires_at, sequence LIMIT :limit {skip_locked}",
        "ORDER BY sequence LIMIT :limit {skip_locked}",
        "tests/sharing/test_leases.py -k starves",
    ),
    Fault(
        "a worker's clock wakes goals",
        (f"{SQL}/common.sql",),
        "wake_at <= (SELECT {wall_now})",
        "wake_at <= (SELECT {wall_now} + 3600000000)",
        "tests/contract/test_contract.py -k 'only_the_databases_clock_wakes'",
    ),
    Fault(
        "what a dead worker left waits its turn",
        (f"{SQL}/common.sql",),
        "SELECT due_id FROM left_behind UNION ALL SELECT due_id FROM waiting",
        "SELECT due_id FROM waiting UNION ALL SELECT due_id FROM left_behind",
        "tests/contract/test_contract.py -k 'dead_worker_left'",
    ),
    Fault(
        "a goal that rests is due",
        (f"{SQL}/common.sql",),
        "ELSE telic_now() + CAST(:pause_microseconds AS BIGINT) END",
        "ELSE telic_now() + 0 * CAST(:pause_microseconds AS BIGINT) END",
        "tests/contract/test_contract.py -k 'rests_is_not_due'",
    ),
    Fault(
        "a moment from a clock that was set back is waited for",
        ("src/telic/domain/decision.py",),
        "is_early = at < state.next_at <= at + max(policy.longest_pause, state.asked_pause)",
        "is_early = at < state.next_at",
        "tests/loop_driver/test_clocks.py -k 'set_back'",
    ),
    Fault(
        "an agent's command outlives the deadline",
        ("src/telic/loop/agents/process_group.py",),
        "deadline = float(sys.argv[3])",
        "deadline = 1e18",
        "tests/loop/test_deadline.py -k 'deadline_whatever'",
    ),
    Fault(
        "each host has the whole time",
        ("src/telic/storage/drivers/postgres_connections.py",),
        "left / (count - tried)",
        "left",
        "tests/postgres/test_hosts.py -k 'share_the_time'",
    ),
    Fault(
        "a finished turn is forgotten with its lease",
        ("src/telic/loop/run_context.py",),
        "                lease = await retry(partial(self._regain, state))",
        "                raise",
        "tests/loop_driver/test_paid_turns.py -k 'outlasts'",
    ),
    Fault(
        "an outage is a failure",
        ("src/telic/loop/state_transitions.py",),
        "if error.is_outage:",
        "if False:",
        "tests/loop_driver/test_network.py -k 'is_waited_for'",
    ),
    Fault(
        "a backup replaces what is there",
        ("src/telic/store/doctor.py",),
        "(os.path.lexists(target) and not overwrite)",
        "False",
        "tests/crash/test_backup.py -k 'unasked'",
    ),
    Fault(
        "leases end by the wall's clock",
        ("src/telic/storage/drivers/sqlite_transaction.py",),
        "time.monotonic_ns() // 1000",
        "time.time_ns() // 1000",
        "tests/sharing/test_leases.py -k 'nobody_can_set'",
    ),
    Fault(
        "leases outlast a reboot",
        ("src/telic/storage/drivers/sqlite_schema.py",),
        'connection.execute("UPDATE goals SET lease_expires_at = 0 WHERE lease_expires_at > 0")',
        "pass",
        "tests/sharing/test_leases.py -k reboot",
    ),
    Fault(
        "what raced with the clock is not run again",
        ("src/telic/storage/drivers/sqlite_errors.py",),
        "MOST_ATTEMPTS: Final = 10",
        "MOST_ATTEMPTS: Final = 1",
        "tests/sharing/test_leases.py -k while_it_is",
    ),
    Fault(
        "another release's schema is not noticed on SQLite",
        ("src/telic/storage/drivers/sqlite_database.py",),
        "            self._schema.require_same()\n",
        "",
        "tests/sharing/test_other_releases.py -k 'no_longer_there and sqlite'",
    ),
    Fault(
        "another release's schema is not noticed on PostgreSQL",
        ("src/telic/storage/drivers/postgres_server.py",),
        "Statement.of(guarded(text))",
        "Statement.of(text)",
        "tests/sharing/test_other_releases.py -k 'no_longer_there and postgres'",
    ),
    Fault(
        "a goal that wakes goes on waiting",
        (f"{SQL}/common.sql",),
        "note = :note, wake_at = NULL, wake_signal = NULL, {due_now}",
        "note = :note, {due_now}",
        "tests/sharing/test_waits.py -k 'wake_once'",
    ),
    Fault(
        "a sleeper pushes out whoever took its place",
        ("src/telic/storage/operations/leases.py",),
        'if active is not None:\n        return {"reason": Reason.SUPERSEDED.value',
        'if active is not None and not active.id:\n        return {"reason": Reason.SUPERSEDED.value',
        "tests/sharing/test_waits.py -k 'one_after_the_other and sqlite'",
    ),
    Fault(
        "a signal passes over locked goals",
        (f"{SQL}/common.sql",),
        "ORDER BY id LIMIT :limit {and_lock}",
        "ORDER BY id LIMIT :limit {skip_locked}",
        "tests/sharing/test_waits.py -k signal_is_not_lost",
    ),
    Fault(
        "a place is believed whoever is there",
        (f"{SQL}/sqlite.sql",),
        "WHERE sequence = :place AND +scope = :scope AND status = 'active'",
        "WHERE sequence = :place AND :scope = :scope",
        "tests/unit/test_sqlite_places.py",
    ),
    Fault(
        "the feed goes by its transactions alone",
        (f"{SQL}/postgres.sql",),
        "({feed_page} AND events.sequence > {highest_before} ORDER",
        "({feed_page} AND false ORDER",
        "tests/sharing/test_feed_crash.py",
    ),
    Fault(
        "the feed goes by its numbers alone",
        (f"{SQL}/postgres.sql",),
        "AND NOT pg_visible_in_snapshot(transaction_id, {snapshot_before}))\n",
        "AND false)\n",
        "tests/sharing/test_feed_order.py",
    ),
    Fault(
        "a page shows what is committed while its reader turns pages",
        (f"{SQL}/postgres.sql",),
        "AND pg_visible_in_snapshot(transaction_id, (SELECT snapshot FROM bounds))",
        "",
        "tests/sharing/test_feed_order.py",
    ),
    Fault(
        "a database restored elsewhere keeps its name",
        ("src/telic/storage/drivers/postgres_server.py",),
        "                keep_place(connection)\n",
        "",
        "tests/sharing/test_feed_order.py -k 'restored or another_server or copy'",
    ),
    Fault(
        "an empty page need not be the last",
        ("src/telic/storage/operations/feed.py",),
        "if start is None or not start.until.snapshot or page:",
        "if True:",
        "tests/sharing/test_watch.py tests/sharing/test_feed_order.py -k 'full_pages or half_read'",
    ),
    Fault(
        "a file set back takes cursors from its future",
        (f"{SQL}/sqlite.sql",),
        "CASE WHEN CAST(:before AS INTEGER) <= CAST(upper_bound AS INTEGER) AND {was_here} THEN id END",
        "id",
        "tests/sharing/test_feed_processes.py -k set_back",
    ),
    Fault(
        "a watcher looks at every event again and again",
        (f"{SQL}/sqlite.sql",),
        "events.sequence >= max(CAST(:before AS INTEGER), :after + 1)",
        "events.sequence + 0 >= max(CAST(:before AS INTEGER), :after + 1)",
        "tests/sharing/test_cost.py -k sqlite",
    ),
    Fault(
        "due goals are joined with all goals",
        (f"{SQL}/postgres.sql",),
        "id = ANY (ARRAY(SELECT due_id FROM due))",
        "id IN (SELECT due_id FROM due)",
        "tests/sharing/test_cost.py -k 'postgres and claim_due'",
    ),
    Fault(
        "a busy file ends a wait",
        ("src/telic/storage/drivers/sqlite_changes.py",),
        "except (StoreBusy, StoreUnavailable):",
        "except ZeroDivisionError:",
        "tests/sharing/test_watch.py -k 'cannot_be_told'",
    ),
    Fault(
        "a cancelled watch leaves its connection",
        ("src/telic/storage/drivers/postgres_changes.py",),
        "if self._is_closed:\n                # A task",
        "if False:\n                # A task",
        "tests/sharing/test_watch.py -k 'too_late'",
    ),
    Fault(
        "a loop's state is stored without its lease",
        (f"{SQL}/common.sql",),
        "SELECT id, :state, lease_token, :at FROM goals WHERE id = :id AND {leased}",
        "SELECT id, :state, lease_token, :at FROM goals WHERE id = :id",
        f"{LOOP}/test_rows.py -k 'without_the_lease and sqlite'",
    ),
    Fault(
        "a person's change leaves the loop's counts",
        ("src/telic/storage/operations/loop.py",),
        "state = state.without_failures()",
        "pass",
        f"{LOOP}/test_rows.py -k 'anew and sqlite'",
    ),
    Fault(
        "a turn is recorded without where the loop then stands",
        ("src/telic/storage/operations/loop.py",),
        "await save(tx, call, goal_id, state)\n    keyed",
        "keyed",
        f"{LOOP}/test_rows.py -k 'its_reserve and sqlite'",
    ),
    Fault(
        "judges are billed twice",
        ("src/telic/storage/operations/loop.py",),
        "for line in lines:",
        "for line in [*lines, *(replace(line, key=line.key + '/2') for line in lines)]:",
        f"{LOOP}/test_judging.py -k 'billed_once and sqlite'",
    ),
    Fault(
        "judges of a goal that was edited are not billed",
        ("src/telic/loop/goal_loop.py",),
        "lambda lease: run.records.bill_void_check(lease, key, billed, verdicts), state",
        "lambda lease: run.records.save(lease, state), state",
        f"{LOOP}/test_judging.py -k 'billed_also and sqlite'",
    ),
    Fault(
        "an answer that comes while a goal falls asleep is missed",
        ("src/telic/storage/operations/loop.py",),
        "if any(answer.criterion_hash in asked",
        "if False and any(answer.criterion_hash in asked",
        f"{LOOP}/test_judging.py -k 'falls_asleep and sqlite'",
    ),
    Fault(
        "a dead turn keeps its place in the budget",
        ("src/telic/storage/operations/loop.py",),
        "return await count_lost(tx, call, goal_id,",
        "return await get(tx, goal_id) if True else await count_lost(tx, call, goal_id,",
        f"{LOOP}/test_rows.py -k 'taken_over and sqlite'",
    ),
    Fault(
        "unknown usage is nothing",
        ("src/telic/loop/state_transitions.py",),
        "        tokens=hold.reserved.tokens,",
        "        tokens=0,",
        f"{LOOP}/test_waiting.py -k 'unknown_usage and sqlite'",
    ),
    Fault(
        "the wind-down is skipped",
        ("src/telic/domain/decision.py",),
        "if not state.wound_down_at:",
        "if False:",
        f"{LOOP}/test_decide.py -k winds_down",
    ),
    Fault(
        "checks of a spent goal have no end",
        ("src/telic/domain/decision.py",),
        "may_repeat = state.unchecked_verifications < policy.max_unchecked_verifications",
        "may_repeat = True",
        f"{LOOP}/test_decide.py -k bounded",
    ),
    Fault(
        "a provider's limit is waited for without end",
        ("src/telic/domain/decision.py",),
        "if state.quota_waits > policy.max_quota_waits:",
        "if False:",
        f"{LOOP}/test_decide.py -k asks_for",
    ),
    Fault(
        "rewording counts as progress",
        ("src/telic/loop/state_transitions.py",),
        "has_progressed = not state.workspace_hashes or ",
        "has_progressed = report.text != state.work or not state.workspace_hashes or ",
        f"{LOOP}/test_endings.py -k 'rewording and sqlite'",
    ),
    Fault(
        "an edit lets the running turn go on",
        ("src/telic/loop/heartbeat.py",),
        "(before.status, before.text, before.criteria) == (now.status, now.text, now.criteria)",
        "before.status == now.status",
        f"{LOOP}/test_changes.py -k 'edit_cancels and sqlite'",
    ),
    Fault(
        "a pause that was resumed at once goes unnoticed",
        ("src/telic/loop/heartbeat.py",),
        " or now.revision > before.revision + 1",
        "",
        f"{LOOP}/test_changes.py -k 'resumed_at_once and sqlite'",
    ),
    Fault(
        "a loop's state is read with defaults",
        ("src/telic/domain/loop_state.py",),
        "if missing := {",
        "if False and {",
        f"{LOOP}/test_rows.py -k 'understood and sqlite'",
    ),
    Fault(
        "passing verdicts complete a goal that a user has paused",
        ("src/telic/storage/operations/verdicts.py",),
        "is_stopped = goal.status is GoalStatus.PAUSED and goal.reason is not Reason.BUDGET",
        "is_stopped = False",
        "tests/contract/test_contract.py -k 'stopped_goal and sqlite'",
    ),
    Fault(
        "an approval outlives an edit",
        ("src/telic/storage/operations/verdicts.py",),
        "if event.kind is EventKind.EDITED:",
        "if False:",
        "tests/contract/test_contract.py -k 'until_the_goal_is_edited and sqlite'",
    ),
    Fault(
        "a rejection is heard for ever",
        ("src/telic/storage/operations/verdicts.py",),
        "approval if counts else None",
        "approval",
        "tests/contract/test_contract.py -k 'heard_once and sqlite'",
    ),
    Fault(
        "a client of a scope finds another's goals",
        ("src/telic/services/insight.py",),
        "if goal.scope != self.scope:",
        "if False:",
        "tests/interfaces/mcp/test_tools.py -k other_scopes",
    ),
    Fault(
        "a model may report on a goal that it has not seen",
        ("src/telic/interfaces/mcp/conversation.py",),
        "self.seen.id == goal.id else _UNSEEN",
        "self.seen.id == goal.id else goal.revision",
        "tests/interfaces/mcp/test_tools.py -k 'first_look and auto'",
    ),
    Fault(
        "a tool's key is dropped",
        ("src/telic/interfaces/mcp/calls.py",),
        'key = new_key() if given["key"] is None else str(given["key"])',
        "key = new_key()",
        "tests/interfaces/mcp/test_raw_stdio.py -k counts_once",
    ),
    Fault(
        "any token opens the server",
        ("src/telic/http/guard.py",),
        "if self._site.is_known(request):",
        'if request.headers.get("authorization"):',
        "tests/interfaces/mcp/test_http.py -k only_the_token",
    ),
    Fault(
        "a change's words reach the model as they are",
        ("src/telic/interfaces/mcp/results.py",),
        "return None if text is None else quote(text)",
        "return text",
        "tests/interfaces/mcp/test_tools.py -k hostile",
    ),
    Fault(
        "a turn that was recorded before is counted again",
        (f"{OBSERVE}/store_calls.py",),
        "if turn.at < _called_at(parameters):",
        "if False:",
        "tests/telemetry/test_metrics.py -k 'counted_once and sqlite'",
    ),
    Fault(
        "a goal that is paused anew is counted as if it had been active",
        ("src/telic/storage/operations/feed.py",),
        'row = await tx.one_or_none("events.kind_before", {"id": event.goal_id, "number": event.number})',
        'row = ("created",)',
        "tests/telemetry/test_metrics.py -k 'whoever_changes and sqlite'",
    ),
    Fault(
        "the words of an error are exported",
        (f"{OBSERVE}/telemetry.py",),
        "Status(StatusCode.ERROR, code)",
        "Status(StatusCode.ERROR, str(work.error))",
        "tests/telemetry/test_loop.py -k 'failed_turn and sqlite'",
    ),
    Fault(
        "what observes fails into the call",
        (f"{OBSERVE}/observer.py",),
        "        return True",
        "        return False",
        "tests/telemetry/test_calls.py -k 'may_fail and sqlite'",
    ),
    Fault(
        "a clock that is ahead makes the feed's lag negative",
        (f"{OBSERVE}/store_calls.py",),
        "max(0, self._now() - oldest)",
        "self._now() - oldest",
        "tests/telemetry/test_metrics.py -k 'never_negative and sqlite'",
    ),
    Fault(
        "a line of the log shows a password",
        (f"{OBSERVE}/log_lines.py",),
        "name: without_secrets(value) if",
        "name: value if",
        "tests/telemetry/test_lines.py -k 'password'",
    ),
    Fault(
        "goals' texts are exported unasked",
        (f"{OBSERVE}/telemetry.py",),
        "if self._records_text else known",
        "if True else known",
        "tests/telemetry/test_calls.py -k 'only_when_asked'",
    ),
)


def plant(fault: Fault, copy: Path) -> None:
    for name in fault.files:
        text = (copy / name).read_text()
        if fault.before not in text:
            raise SystemExit(f"{fault.name}: {name} no longer holds {fault.before!r}")
        (copy / name).write_text(text.replace(fault.before, fault.after))


def is_noticed(fault: Fault) -> bool:
    with tempfile.TemporaryDirectory(prefix="telic-fault-") as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns(".venv", ".git", ".build", ".bench-venv", "__pycache__")
        )
        Path(folder).chmod(0o755)
        plant(fault, copy)
        command = f"'{sys.executable}' -m pytest -q -x -p no:cacheprovider -m 'not long' {fault.tests}"
        environment = os.environ | {"PYTHONPATH": str(copy / "src")}
        result = subprocess.run(command, shell=True, cwd=copy, env=environment, capture_output=True, text=True)
        if result.returncode not in (0, 1):
            raise SystemExit(f"{fault.name}: the tests did not run\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
        return result.returncode == 1


def main() -> None:
    wanted = sys.argv[1:]
    unnoticed = []
    for fault in FAULTS:
        if wanted and not any(word in fault.name for word in wanted):
            continue
        noticed = is_noticed(fault)
        print(f"{'red  ' if noticed else 'GREEN'} {fault.name}", flush=True)
        unnoticed += [] if noticed else [fault.name]
    if unnoticed:
        raise SystemExit(f"{len(unnoticed)} planted faults went unnoticed")
    print("every planted fault turns the tests red")


if __name__ == "__main__":
    main()
