"""On a desk and on a phone, nothing sticks out, is cut off, or is squeezed to a letter a line."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

import telic
from telic.testing.surfaces import GOAL_NAMES, make_shown_goals
from tests.interfaces.dashboard.conftest import Visit
from tests.interfaces.shell import Shell

FAULTS = """
() => {
  const faults = [];
  if (document.documentElement.scrollWidth > innerWidth) faults.push("the page is wider than its window");
  for (const element of document.querySelectorAll("main *, header *")) {
    const texts = [...element.childNodes].filter((node) => node.nodeType === 3 && node.textContent.trim());
    if (!element.checkVisibility() || element.closest("svg, .unseen, option, thead")) continue;
    const card = element.closest(".card");
    if (card && element.getBoundingClientRect().right > card.getBoundingClientRect().right + 1)
      faults.push(`outside of its card: ${element.textContent.trim().slice(0, 40)}`);
    for (const node of texts) {
      const text = node.textContent.trim(), words = text.split(/[\\s-]+/).length;
      const range = document.createRange();
      range.selectNodeContents(node);
      const lines = new Set([...range.getClientRects()].map((each) => Math.round(each.top))).size;
      // Of long words a browser must break some.
      if (text.length <= 20 && lines > words) faults.push(`on ${lines} lines: ${text}`);
    }
  }
  return faults;
}
"""
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.mark.parametrize("size", SIZES)
def test_every_page_fits_its_window(size: str, visiting: Callable[..., Visit], shell: Shell) -> None:
    """The list, a goal of every kind with all its parts opened, failures, and the question before a replacement."""
    with telic.connect(shell.store) as store:
        shown = {name: goal.goal.id for name, goal in make_shown_goals(store).items()}
        store.create("docs and more", scope="docs/repository-8", token_budget=10)
        store.claim(scope="docs/repository-8", worker="host-1/worker-10", ttl_seconds=3_600)
    visit = visiting(shell.store, "--allow-write", "--as", "Ada", viewport=SIZES[size])
    pages = ["/", "/?search=zzz", "/?status=nonsense", "/nowhere", "/goals/0123456789"]
    pages += [f"/goals/{shown[name]}" for name in GOAL_NAMES]
    found = {}
    for path in pages:
        page = visit.open(path)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        found[path] = page.evaluate(FAULTS)
    page = visit.open(f"/goals/{shown['superseded']}")
    page.locator("#form-resume button").click()
    expect(page.get_by_text("Another goal of this scope is active")).to_be_visible()
    found["replace"] = page.evaluate(FAULTS)
    page = visit.new_page()
    page.context.clear_cookies()
    page.goto(visit.address)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    found["enter"] = page.evaluate(FAULTS)
    assert {path: faults for path, faults in found.items() if faults} == {}


def _labels(page: Page) -> list[str]:
    return [text for text in page.locator("table.goals th").all_inner_texts() if text]


def test_columns_have_the_words_of_the_other_surfaces(visiting: Callable[..., Visit], shell: Shell) -> None:
    with telic.connect(shell.store) as store:
        store.create("goal")
    page = visiting(shell.store).open("/")
    assert _labels(page) == ["Status", "Goal", "Scope", "Budget", "Worker", "Age"]
    expect(page.get_by_label("Worker")).to_be_visible()
    expect(page.locator("td.worker")).to_have_attribute("data-label", "Worker")
