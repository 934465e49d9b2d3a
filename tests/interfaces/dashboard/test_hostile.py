"""Hostile text in every field that anybody but the operator writes: it is shown, and does nothing."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

import telic
from tests.interfaces.dashboard.conftest import Visit
from tests.interfaces.shell import Shell
from tests.prompt.corpus import FAMILIES

STRANGE = [
    "<script>window.isCaught = 1</script>",
    "<img src=x onerror='window.isCaught = 1'>",
    "</td></tr></table>{{7*7}}",
]
ELEMENTS = """
() => [...document.querySelectorAll("script, iframe, object, embed, style, link, meta, base, img, math")]
  .map((element) => element.outerHTML.replace(/\\?[0-9a-f]{12}/, ""))
"""
ESCAPED = """
() => [...document.querySelectorAll("main bdi")].filter((element) => element.childElementCount).length
"""
OUTSIDE = """
() => {
  const header = document.querySelector("header").getBoundingClientRect();
  const spots = [[10, header.height / 2], [innerWidth - 40, header.height / 2]];
  const isCovered = spots.some(([x, y]) => !document.elementFromPoint(x, y)?.closest("header"));
  return !isCovered && document.documentElement.scrollWidth <= innerWidth;
}
"""


def kept(text: str, most: int) -> str:
    """What a store takes of it."""
    return text.replace("\\0", "")[:most] or "empty"


def fill(store: telic.GoalStore, scope: str, text: str) -> str:
    """A goal with the text in each of its fields; its id."""
    criteria = [
        telic.Criterion.command(["echo", kept(text, 500)]),
        telic.Criterion.judge(kept(text, 500)),
        telic.Criterion.approval(kept(text, 500)),
    ]
    name = kept(text, 150)
    goal = store.create(
        kept(text, 2_000) + " end", scope=f"{scope}{name}", criteria=criteria, budget=telic.Budget(tokens=900)
    )
    lease = store.claim(goal.id, worker=name, ttl_seconds=600)
    store.hold(goal.id, tokens=10, key=name)
    store.record_turn(goal.id, tokens=100, model=name, key=name)
    verdicts = tuple(
        telic.domain.verdict.Verdict(
            index=place,
            criterion_hash=criterion.content_hash,
            revision=goal.revision,
            outcome=telic.domain.verdict.Outcome.FAILED,
            detail=kept(text, 900),
            reasons=(kept(text, 900),),
            suggestions=(kept(text, 900),),
            output_tail=kept(text, 3_000),
        )
        for place, criterion in enumerate(criteria)
    )
    hashes = tuple(criterion.content_hash for criterion in criteria)
    store.verify(
        goal.id, telic.domain.verification.Verification(revision=1, criterion_hashes=hashes, verdicts=verdicts)
    )
    store.approve(goal.id, 2, decided_by=name, note=kept(text, 900), key=f"{name}!")
    store.transition(
        goal.id,
        telic.GoalStatus.PAUSED,
        reason=telic.Reason.WAITING,
        note=kept(text, 900),
        wake_signal=name,
        lease=lease,
        key=f"{name}?",
    )
    return goal.id


def innocent(page: Page) -> list[str]:
    """The elements of a page that could do something, as they are without any goal."""
    found: list[str] = page.evaluate(ELEMENTS)
    return found


def test_hostile_text_stays_where_it_is(visiting: Callable[..., Visit], shell: Shell) -> None:
    """The list and the page of each hostile goal: no script runs, nothing is loaded, nothing leaves its place."""
    texts = [text for name in FAMILIES for text in FAMILIES[name][:: max(1, len(FAMILIES[name]) // 3)]] + STRANGE
    with telic.connect(shell.store) as store:
        ids = []
        for number, text in enumerate(texts):
            try:
                ids.append(fill(store, f"{number}-", text))
            except telic.errors.InvalidText:
                continue
    assert len(ids) > 30
    visit = visiting(shell.store, "--allow-write")
    foreign: list[str] = []
    visit.page.on(
        "request", lambda request: None if request.url.startswith(visit.address) else foreign.append(request.url)
    )
    honest = innocent(visit.open("/?status=completed"))
    assert innocent(visit.open("/")) == honest
    assert visit.page.evaluate(OUTSIDE)
    visit.screenshot("hostile-list")
    for goal_id in ids:
        page = visit.open(f"/goals/{goal_id}")
        assert [tag for tag in innocent(page) if tag not in honest] == []
        assert page.evaluate(ESCAPED) == 0
        assert page.evaluate(OUTSIDE), page.locator("h1").inner_text()
    visit.screenshot("hostile-goal")
    assert visit.page.evaluate("window.isCaught") is None
    assert visit.complaints == []
    assert foreign == []


@pytest.mark.parametrize("text", STRANGE)
def test_hostile_text_that_arrives_live_stays_where_it_is(
    text: str, visiting: Callable[..., Visit], shell: Shell
) -> None:
    """A fragment is no less escaped than a page; an address, a filter and a name are no more trusted."""
    shell("create", "before")
    visit = visiting(shell.store, "--allow-write", "--as", kept(text.replace("/", ""), 50))
    page = visit.page
    with telic.connect(shell.store) as store:
        goal_id = fill(store, "live-", text)
    page.locator(f"#goal-{goal_id}").wait_for()
    visit.open(f"/goals/{goal_id}")
    with telic.connect(shell.store) as store:
        store.resume(goal_id, note=text)
    page.locator("#goal-head", has_text="active").wait_for()
    page.goto(f"{visit.address}/?search={text}&scope={text}&worker={text}")
    page.goto(f"{visit.address}/goals/{text.replace('/', '')}")
    assert page.evaluate("window.isCaught") is None
    assert [each for each in visit.complaints if "status of 422" not in each] == []
