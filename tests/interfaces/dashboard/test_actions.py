"""What an operator does to a goal, in a real browser; what happened is read by another process."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

import telic
from telic.domain.verdict import Outcome
from telic.testing.contract.verdicts import verdicts_on
from tests.interfaces.dashboard.conftest import Visit
from tests.interfaces.shell import Shell


def goal(shell: Shell) -> dict[str, Any]:
    """The newest goal as this process, which is not the dashboard's, finds it in the store."""
    with telic.connect(shell.store) as store:
        return store.list(limit=1).goals[0].to_json()


def events(shell: Shell) -> list[telic.Event]:
    with telic.connect(shell.store) as store:
        return list(store.events(store.list(limit=1).goals[0].id))


def record(shell: Shell, tokens: int) -> None:
    with telic.connect(shell.store) as store:
        store.record_turn(goal(shell)["id"], tokens=tokens)


def opened(visit: Visit, shell: Shell) -> Page:
    return visit.open(f"/goals/{goal(shell)['id']}")


def test_a_goal_is_paused_and_resumed(visit: Visit, shell: Shell) -> None:
    """The status, the note and who did it are in the store; the page says so."""
    page = opened(visit, shell)
    page.get_by_label("Note", exact=True).first.fill("for the release")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("The goal is paused.")).to_be_visible()
    assert (goal(shell)["status"], goal(shell)["reason"], goal(shell)["note"]) == ("paused", "user", "for the release")
    expect(page.locator(".timeline li").first).to_contain_text("paused by operator · Ada")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("The goal is active again.")).to_be_visible()
    assert goal(shell)["status"] == "active"
    history = events(shell)
    assert [event.actor for event in history] == ["user", "operator", "operator"]
    assert str(history[1].key).startswith("dashboard/Ada/")
    assert visit.complaints == []


def test_a_spent_budget_is_raised_and_the_goal_goes_on(visit: Visit, shell: Shell) -> None:
    """To resume offers twice what was used, in one click; a budget that is used up as well leads back to the goal."""
    record(shell, 1_200)
    page = opened(visit, shell)
    expect(page.locator("#goal-head")).to_contain_text("budget")
    amount = page.get_by_role("textbox", name="Tokens, now 1,000")
    expect(amount).to_have_value("2400")
    amount.fill("1100")
    page.get_by_role("button", name="Resume with this budget").click()
    expect(page.get_by_role("heading", name="The budget is used up")).to_be_visible()
    expect(page.get_by_text("The budget of tokens is used up: 1200 of 1100.")).to_be_visible()
    page.get_by_role("link", name="Back to the goal").click()
    page.get_by_role("button", name="Resume with this budget").click()
    expect(page.get_by_text("The budget is set.")).to_be_visible()
    assert (goal(shell)["status"], goal(shell)["budget"]["tokens"]) == ("active", 2_400)
    page.get_by_text("Set the budget").click()
    page.get_by_role("textbox", name="Tokens").fill("5k")
    page.get_by_role("textbox", name="Turns").fill("40")
    page.get_by_role("textbox", name="Cost").fill("$2.50")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_text("The budget is set.")).to_be_visible()
    assert goal(shell)["status"] == "active"
    assert goal(shell)["budget"] == {
        "tokens": 5_000,
        "turns": 40,
        "active_microseconds": None,
        "cost_microunits": 2_500_000,
    }


def test_a_budget_that_is_none_is_refused(visit: Visit, shell: Shell) -> None:
    """What cannot be understood changes nothing, and the page says why."""
    page = opened(visit, shell)
    page.get_by_text("Set the budget").click()
    page.get_by_role("textbox", name="Tokens").fill("plenty")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_role("heading", name="Nothing was changed")).to_be_visible()
    assert goal(shell)["budget"]["tokens"] == 1_000


def test_a_question_is_approved_and_rejected(visit: Visit, shell: Shell) -> None:
    """Each answer is recorded with who gave it and why; the last counts."""
    page = opened(visit, shell)
    for button, note, outcome in (("Approve", "looks right", "approved"), ("Reject", "on second thought", "rejected")):
        page.get_by_label("Why").fill(note)
        page.get_by_role("button", name=button).click()
        expect(page.locator("#criterion-0")).to_contain_text(f"{outcome} approval Ship it?")
        expect(page.locator("#criterion-0")).to_contain_text(f"by Ada: {note}")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#criterion-0")).to_contain_text("approved")
    with telic.connect(shell.store) as store:
        (answer,) = store.approvals(goal(shell)["id"])
    assert (answer.decided_by, answer.is_approved) == ("Ada", True)


def test_a_goal_is_cleared(visit: Visit, shell: Shell) -> None:
    """It ends for the reason that was chosen, and nothing more can be done to it."""
    page = opened(visit, shell)
    page.get_by_text("Clear the goal").click()
    page.get_by_label("Because it is").select_option("given_up")
    page.get_by_role("button", name="Clear for good").click()
    expect(page.get_by_text("The goal is cleared.")).to_be_visible()
    assert (goal(shell)["status"], goal(shell)["reason"]) == ("cleared", "given_up")
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)


def test_a_stale_page_overwrites_nothing(visiting: Callable[..., Visit], shell: Shell) -> None:
    """What was clicked on an old page is refused, and the page shows what happened meanwhile."""
    made = shell.json("create", "changed meanwhile")
    visit = visiting(shell.store, "--allow-write", java_script_enabled=False)
    page = visit.open(f"/goals/{made['id']}")
    shell("pause", made["id"], "--note", "by somebody else")
    shell("resume", made["id"])
    with page.expect_response("**/pause") as response:
        page.get_by_role("button", name="Pause").click()
    assert response.value.status == 412
    expect(page.get_by_role("heading", name="The goal changed meanwhile")).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text("by somebody else")
    assert (goal(shell)["status"], goal(shell)["revision"]) == ("active", 3)
    visit.screenshot("stale")


def test_a_double_click_acts_once(visit: Visit, shell: Shell) -> None:
    """The form that is sent twice leaves one event, and no error."""
    page = opened(visit, shell)
    # The same form, sent twice at the same moment as by a hand that trembles; then what a double click does.
    statuses = page.evaluate(
        """async () => {
            const form = document.getElementById("form-pause");
            const send = () => fetch(form.action, {method: "POST", body: new URLSearchParams(new FormData(form))});
            return (await Promise.all([send(), send()])).map((response) => response.status);
        }"""
    )
    assert statuses == [200, 200]
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_role("button", name="Resume").dblclick()
    expect(page.get_by_text("The goal is active again.")).to_be_visible()
    assert [event.kind for event in events(shell)] == ["created", "paused", "resumed"]


def test_what_is_being_written_survives_a_change(visit: Visit, shell: Shell) -> None:
    """While a note is typed, a turn of another process changes the page around it, and not the note."""
    page = opened(visit, shell)
    page.get_by_label("Note", exact=True).first.fill("half a sentence")
    page.get_by_text("Set the budget").click()
    record(shell, 500)
    expect(page.locator("#goal-budget")).to_contain_text("500 of 1,000")
    expect(page.locator("#goal-usage .plot")).to_be_visible()
    assert page.get_by_label("Note", exact=True).first.input_value() == "half a sentence"
    assert page.locator("#goal-actions details").first.get_attribute("open") is not None


def test_a_read_only_dashboard_has_no_forms_and_refuses_them(visiting: Callable[..., Visit], shell: Shell) -> None:
    """Without --allow-write nothing can be done, not even by a form that was made by hand."""
    with telic.connect(shell.store) as store:
        made = store.create("untouchable")
    visit = visiting(shell.store)
    page = visit.open(f"/goals/{made.id}")
    expect(page.get_by_text("Read-only")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    status = page.evaluate(
        """async (address) => {
            const token = document.querySelector("input[name=token]").value;
            const body = new URLSearchParams({token, revision: "1", form: "0".repeat(64)});
            return (await fetch(address + "/pause", {method: "POST", body})).status;
        }""",
        page.url,
    )
    assert status == 403
    assert goal(shell)["status"] == "active"


def test_the_page_shows_how_a_finished_goals_criteria_stood(visiting: Callable[..., Visit], shell: Shell) -> None:
    """The verdicts that completed it stand, though the completion raised the revision."""
    with telic.connect(shell.store) as store:
        made = store.create("Make it", criteria=[telic.Criterion.command(["true"])])
        store.verify(made.id, verdicts_on(made, Outcome.PASSED))
    page = visiting(shell.store).open(f"/goals/{made.id}")
    expect(page.locator("#goal-head")).to_contain_text("verified")
    expect(page.locator("#goal-criteria .outcome")).to_have_text("passed")


def test_another_active_goal_is_paused_only_when_asked(visiting: Callable[..., Visit], shell: Shell) -> None:
    """To resume a goal names the one that would be paused for it; one more click agrees."""
    with telic.connect(shell.store) as store:
        rested = store.create("rested")
        store.pause(rested.id)
        other = store.create("at work")
        store.claim(goal_id=other.id, worker="host/7", ttl_seconds=600)
    page = visiting(shell.store, "--allow-write").open(f"/goals/{rested.id}")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("heading", name="Another goal of this scope is active")).to_be_visible()
    expect(page.get_by_text("host/7")).to_be_visible()
    with telic.connect(shell.store) as store:
        assert store.get(other.id).is_active
    page.get_by_role("button", name="Pause it, and resume").click()
    expect(page.get_by_text("The goal is active again.")).to_be_visible()
    with telic.connect(shell.store) as store:
        assert store.get(other.id).reason is telic.Reason.SUPERSEDED


def test_a_missing_goal_has_a_page_that_leads_on(visiting: Callable[..., Visit], shell: Shell) -> None:
    shell("create", "x")
    page = visiting(shell.store).open("/goals/01999999-0000-7000-8000-000000000000")
    expect(page.get_by_role("heading", name="There is no such goal")).to_be_visible()
    expect(page.get_by_role("link", name="To the list of goals")).to_be_visible()
