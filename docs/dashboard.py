"""Draws docs/dashboard.png: the dashboard over a store of made-up goals, in a real browser. Run by `make picture`."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from tests.support.browser import ARGUMENTS, find_chromium
from tests.support.dashboards import running_dashboard

import telic

PICTURE = Path(__file__).with_name("dashboard.png")
TEXTS = [
    "Move billing to the new API and delete the old client",
    "Make the nightly import idempotent",
    "Bring the flaky checkout tests below one failure a week",
    "Write the migration guide for version 4",
    "Cut the cold start of the worker image to two seconds",
    "Replace the hand-written retry loops by one policy",
    "Translate the onboarding into German and French",
    "Find why the export misses rows after midnight UTC",
    "Upgrade to PostgreSQL 18 in staging",
    "Remove the feature flags that are fully rolled out",
    "Document every public error",
]


def fill(location: str) -> str:
    """Goals of every kind are in the store; the id of the one that a page shows."""
    with telic.connect(location) as store:
        for number, text in enumerate(TEXTS):
            scope = f"{('billing', 'platform', 'docs')[number % 3]}/repository-{number}"
            goal = store.create(text, scope=scope, budget=telic.Budget(tokens=2_000_000, cost_microunits=20_000_000))
            store.claim(goal.id, worker=f"host-{number % 3}/worker-{number}", ttl_seconds=3600)
            for turn in range(3 + number * 2):
                usage = telic.TurnUsage(tokens=70_000 + turn * 2_000, cost_microunits=400_000)
                store.record_turn(goal.id, usage=usage, key=f"turn-{turn}")
            end(store, goal, number)
        return rich_goal(store)


def end(store: telic.GoalStore, goal: telic.Goal, number: int) -> None:
    if store.get(goal.id).status is not telic.GoalStatus.ACTIVE:
        return
    if number % 5 == 1:
        store.pause(goal.id, note="until the release is out")
    elif number % 5 == 3:
        store.complete(goal.id)
    elif number == 5:
        store.clear(goal.id)


def rich_goal(store: telic.GoalStore) -> str:
    """A goal with criteria, verdicts, usage, holds and a history."""
    criteria = [
        telic.Criterion.command(["pytest", "-q"]),
        telic.Criterion.judge("Does no caller use the old client any more?"),
        telic.Criterion.approval("May it be deployed?"),
    ]
    goal = store.create(
        "Move billing to the new API.\n\nEvery caller goes through the new client; the old one is deleted.",
        scope="billing/invoices",
        budget=telic.Budget(tokens=1_000_000, turns=40),
        criteria=criteria,
    )
    for turn in range(14):
        usage = telic.ModelUsage(input_tokens=40_000 + turn * 900, cached_input_tokens=20_000, output_tokens=6_000)
        store.record_turn(goal.id, usage=usage, key=f"turn-{turn}", model="some-model")
    paused = store.pause(goal.id, note="waiting for the test account", actor=telic.Actor.OPERATOR)
    store.resume(goal.id, expected_revision=paused.revision)
    lease = store.claim(goal.id, worker="host-1/worker-7", ttl_seconds=3600)
    store.hold(goal.id, tokens=50_000, lease=lease)
    return goal.id


def main() -> None:
    chromium = find_chromium()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        location = str(Path(folder) / "goals.db")
        fill(location)
        browser = playwright.chromium.launch(
            executable_path=chromium.path, env=chromium.environment or None, args=ARGUMENTS
        )
        with running_dashboard(location, "--allow-write", "--as", "Ada") as dashboard:
            page = browser.new_page(viewport={"width": 1200, "height": 760})
            page.goto(dashboard.entrance)
            page.get_by_text("Live").wait_for()
            page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
