"""The main job on SQLite: a goal that outlives its process, is counted exactly, and cannot overspend.

A worker process records turns and is killed with SIGKILL in the middle. A second one goes on with the same keys.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import telic
from telic.store.doctor import examine

TURNS = 40
TOKENS_PER_TURN = 2_500


def work(path: str, goal_id: str) -> None:
    """One worker: records every turn under its own key; a turn already recorded is not counted again."""
    with telic.connect(path) as store:
        for number in range(1, TURNS + 1):
            goal = store.record_turn(goal_id, tokens=TOKENS_PER_TURN, key=f"run-1/turn-{number}").goal
            print(
                f"   turn {number:>2}: {goal.tokens_used:>7,} of {goal.token_budget:,} tokens, {goal.status}",
                flush=True,
            )
            if goal.status is not telic.GoalStatus.ACTIVE:
                return
            time.sleep(0.01)


def run_worker(path: Path, goal_id: str, *, kill_after_lines: int | None) -> None:
    worker = subprocess.Popen([sys.executable, __file__, str(path), goal_id], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    for count, line in enumerate(worker.stdout, 1):
        if count <= 2 or count == kill_after_lines or "paused" in line:
            print(line, end="")
        elif count == 3:
            print("   …")
        if count == kill_after_lines:
            os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "goals.db"
        with telic.connect(path) as store:
            goal = store.create("Move billing to the new API", token_budget=60_000)
            print(f"1. A goal with a budget of 60,000 tokens: {goal.id}")

            print("2. A worker records turns and is killed with SIGKILL after its tenth:")
            run_worker(path, goal.id, kill_after_lines=10)

            print("3. Another worker repeats the whole run with the same keys; nothing is counted twice:")
            run_worker(path, goal.id, kill_after_lines=None)
            goal = store.get(goal.id)
            print(f"   The turn that reached the budget paused the goal ({goal.reason}) after {goal.turns_used} turns.")

            print("4. Resuming over budget is refused, until the same call raises the budget:")
            try:
                store.resume(goal.id)
            except telic.BudgetExceeded as refusal:
                print(f"   refused: {refusal}")
            goal = store.resume(goal.id, budget=telic.Budget(tokens=120_000), expected_revision=goal.revision)
            print(f"   {goal.status} again, at revision {goal.revision}")

            print("5. Two writers with the same expected revision: exactly one succeeds:")
            seen = goal.revision
            store.edit(goal.id, text="Move billing and invoices to the new API", expected_revision=seen)
            try:
                store.pause(goal.id, expected_revision=seen)
            except telic.StaleUpdate as refusal:
                print(f"   refused: {refusal}")

            print("6. Done, and the history tells how:")
            store.complete(goal.id, note="all invoices migrated")
            for event in store.events(goal.id):
                print(f"   {event.number}. {event.kind:<10} by {event.actor:<6} {event.hash[:12]}")
        print("7. The whole database is checked:")
        for finding in examine(path):
            print(f"   {finding.level:<7} {finding.check}: {finding.message.replace(folder, '…')}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(sys.argv[1], sys.argv[2])
    else:
        main()
