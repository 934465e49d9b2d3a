"""The list of goals, in a real browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.populate import populate_sqlite
from playwright.sync_api import Page, expect

import telic
from tests.interfaces.dashboard.conftest import Visit
from tests.interfaces.shell import Shell


@pytest.fixture(scope="module")
def ten_thousand(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("many") / "goals.db"
    populate_sqlite(path, 10_000)
    return str(path)


def texts(page: Page) -> list[str]:
    return page.locator("td.what").all_inner_texts()


def test_the_list_of_ten_thousand_goals_shows_its_first_page(visiting: Callable[..., Visit], ten_thousand: str) -> None:
    """Fifty rows of them, and counts that say so; how fast it is the benchmarks tell."""
    visit = visiting(ten_thousand)
    visit.open("/")
    visit.page.locator("#goals tr").nth(49).wait_for()
    assert visit.page.locator("td.what").count() == 50
    expect(visit.page.locator("#counts")).to_contain_text("Active 10,000+")
    visit.screenshot("list-of-10000")
    assert visit.complaints == []


def test_pages_follow_one_another(visiting: Callable[..., Visit], ten_thousand: str) -> None:
    """Newest first, then the next fifty; oldest first the other way round; a search narrows both."""
    visit = visiting(ten_thousand)
    page = visit.page
    assert texts(page)[0] == "Move billing to the new API, part 10000"
    page.get_by_role("link", name="Next page").click()
    assert texts(page)[0] == "Move billing to the new API, part 9950"
    page.get_by_role("link", name="First page").click()
    page.get_by_label("Order").select_option("oldest first")
    page.get_by_label("Search the texts").fill("PART 77")
    page.get_by_role("button", name="Show").click()
    assert texts(page)[:2] == ["Move billing to the new API, part 77", "Move billing to the new API, part 770"]
    page.get_by_label("Search the texts").fill("no such words")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No goal is like that.")).to_be_visible()


def test_a_row_shows_what_an_operator_looks_for(visiting: Callable[..., Visit], shell: Shell) -> None:
    """Status, reason, scope, budget, who drives it; each filter finds it."""
    with telic.connect(shell.store) as store:
        store.create("driven", scope="team/a", budget=telic.Budget(tokens=2_000_000))
        store.claim(scope="team/a", worker="host-1/worker-7", ttl_seconds=600)
        rested = store.create("rested", scope="team/b")
        store.record_turn(rested.id, tokens=1_500)
        store.pause(rested.id)
    visit = visiting(shell.store)
    driven = visit.page.locator("#goals tr", has_text="driven")
    for words in ("active", "team/a", "0 of 2M tokens", "host-1/worker-7"):
        expect(driven).to_contain_text(words)
    expect(visit.page.locator("#goals tr", has_text="rested")).to_contain_text("1.5k tokens, no limit")
    for address in ("/?status=paused", "/?reason=user", "/?scope=team%2Fb", "/?search=RESTED"):
        assert texts(visit.open(address)) == ["rested"], address
    assert texts(visit.open("/?worker=host-1%2Fworker-7")) == ["driven"]
    assert texts(visit.open("/?order=changed")) == ["rested", "driven"]
    refused = visit.page.goto(visit.address + "/?status=running")
    assert refused is not None
    assert refused.status == 422


def test_changes_of_other_processes_appear_by_themselves(visiting: Callable[..., Visit], shell: Shell) -> None:
    """A new goal, a move and a turn of another process are on the open page, which is never loaded again."""
    first = shell.json("create", "the first", "--budget", "1M")
    visit = visiting(shell.store)
    page = visit.page
    expect(page.locator("#liveness")).to_have_text("Live")
    page.evaluate("window.isTheSame = true")
    shell("create", "the second", "--scope", "other")
    expect(page.locator("#goals tr").first).to_contain_text("the second")
    shell("record", first["id"], "--tokens", "250k")
    expect(page.locator("#goals tr", has_text="the first")).to_contain_text("250k of 1M tokens")
    shell("pause", first["id"])
    expect(page.locator("#goals tr", has_text="the first")).to_contain_text("paused")
    expect(page.locator("#counts")).to_contain_text("Paused 1")
    assert page.evaluate("window.isTheSame")
    assert visit.complaints == []


def test_a_scope_can_be_pinned(visiting: Callable[..., Visit], shell: Shell) -> None:
    """With --scope nothing else is shown, whatever the address says."""
    shell("create", "mine", "--scope", "mine")
    theirs = shell.json("create", "theirs", "--scope", "theirs")
    visit = visiting(shell.store, "--scope", "mine")
    assert texts(visit.open("/?scope=theirs")) == ["mine"]
    response = visit.page.goto(f"{visit.address}/goals/{theirs['id']}")
    assert response is not None
    assert response.status == 404


def test_it_can_be_read_on_a_phone_and_without_a_script(visiting: Callable[..., Visit], shell: Shell) -> None:
    """At 360 pixels nothing goes beyond the edge; without scripts the page and its form work."""
    shell("create", "w" * 300 + " " + "a goal with a long text " * 20, "--budget", "1M", "--scope", "s" * 100)
    visit = visiting(shell.store, viewport={"width": 360, "height": 740}, java_script_enabled=False)
    for name in ("phone-list", "phone-goal"):
        widest = visit.page.locator("body").bounding_box()
        assert widest is not None
        assert widest["width"] <= 360
        visit.screenshot(name)
        visit.page.locator("td.what a").first.click() if name == "phone-list" else None
    visit.open("/?status=active")
    visit.page.get_by_label("Search the texts").fill("long text")
    visit.page.get_by_role("button", name="Show").click()
    assert len(texts(visit.page)) == 1


def test_nothing_scrolls_sideways_on_a_phone(visiting: Callable[..., Visit], shell: Shell) -> None:
    """Neither the list nor a goal with long words in every field."""
    word = "w" * 190
    goal = shell.json("create", word, "--scope", word, "--budget", "1M", "--approve", word, "--check", f"echo {word}")
    shell("record", goal["id"], "--tokens", "1500")
    shell("pause", goal["id"], "--note", word)
    visit = visiting(shell.store, "--allow-write", viewport={"width": 360, "height": 740})
    for path in ("/", f"/goals/{goal['id']}"):
        page = visit.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    visit.screenshot("phone-long-words")


def test_the_keyboard_suffices(visiting: Callable[..., Visit], shell: Shell) -> None:
    """The first key leads past the header; a goal is reached and paused without a mouse, focus in sight."""
    shell("create", "reached by keys")
    visit = visiting(shell.store, "--allow-write")
    page = visit.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "reached by keys":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/goals/*")
    page.get_by_label("Note").first.focus()
    page.keyboard.type("by keys")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The goal is paused.")).to_be_visible()
    assert shell.json("list")["goals"][0]["note"] == "by keys"
