"""Light and dark: by the system's preference, and by the visitor's choice, which stays."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

import telic
from tests.interfaces.dashboard.conftest import Visit
from tests.interfaces.shell import Shell

CONTRASTS = """
() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = numbers(colour).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (numbers(colour).length === 3) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!hasText || !element.checkVisibility() || element.closest("svg, .unseen, option")) continue;
    const [one, other] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) faint.push(`${element.tagName}.${element.className}: ${ratio.toFixed(2)}`);
  }
  return faint;
}
"""


def ground(page: Page) -> int:
    """How light the page's ground is, from 0 to 255."""
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return int(colour.removeprefix("rgb(").split(",")[0])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_can_be_read(theme: str, visiting: Callable[..., Visit], shell: Shell) -> None:
    """On the list and on a goal, every text has a contrast of 4.5 to 1 or more, as the system prefers."""
    criteria = [telic.Criterion.approval("Ship it?")]
    with telic.connect(shell.store) as store:
        for number, end in enumerate((store.pause, store.complete, store.clear, None)):
            made = store.create(f"goal {number}", scope=str(number), token_budget=1_000, criteria=criteria)
            store.record_turn(made.id, tokens=900)
            if end is not None:
                end(made.id)
    visit = visiting(shell.store, "--allow-write", color_scheme=theme)
    for name, path in (("list", "/"), ("goal", f"/goals/{made.id}")):
        page = visit.open(path)
        assert (ground(page) > 128) is (theme == "light")
        assert page.evaluate(CONTRASTS) == []
        visit.screenshot(f"{name}-{theme}")
    assert visit.complaints == []


def test_a_choice_stays(visiting: Callable[..., Visit], shell: Shell) -> None:
    """The button changes the colours at once, leads back to the same page, and is remembered."""
    with telic.connect(shell.store) as store:
        store.create("goal")
    visit = visiting(shell.store, color_scheme="light")
    page = visit.open("/?status=active")
    page.get_by_role("button", name="Dark").click()
    page.wait_for_load_state()
    assert page.url.endswith("/?status=active")
    assert ground(visit.open("/")) < 128
    assert page.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Auto").click()
    page.wait_for_load_state()
    assert ground(visit.open("/")) > 128
