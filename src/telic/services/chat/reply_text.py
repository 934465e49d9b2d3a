"""Replies as plain text, for terminals and chats alike: every text of others passes `visible`, line by line."""

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Final

from telic.domain.budget import LIMIT_NAMES
from telic.domain.goal import Goal
from telic.domain.ids import short_ids
from telic.domain.views import BudgetUse, budget_uses
from telic.prompt.escape import visible
from telic.services.actions import DONE
from telic.services.chat.grammar_words import USAGE
from telic.services.chat.replies import ACTION_OF, ChatReply, ChatStep, ReplyKind
from telic.wording.amounts import first_words, show_age, show_percent
from telic.wording.goals import (
    criterion_in_words,
    criterion_lines,
    describe_event,
    describe_lease,
    reserved_lines,
    status_of,
    used_of,
    wait_of,
)

_BAR_CELLS: Final = 10
_LONGEST_COMMAND: Final = 400
_MOST_EVENT_CHARS: Final = 120
_OPTIONS: Final = (
    'With a new goal: --budget 2M --budget $5 --turns 40 --check "pytest -q" --judge "…?" --approve "…?" --auto',
    'With pause, resume, complete, clear: --note "…". --auto starts work, also with resume.',
    "An ID is 8 or more characters of one. -- in front of a goal's text keeps every word of it as text.",
)


def render(reply: ChatReply) -> str:
    """Return the reply as text: none of it controls a terminal, and no goal's text looks like Telic's own words."""
    lines = _BODIES.get(reply.kind, _changed)(reply)
    return "\n".join([*lines, *_steps(reply.steps)])


def _changed(reply: ChatReply) -> Iterator[str]:
    goal = reply.goals[0]
    action = ACTION_OF.get(reply.kind)
    yield f"Goal {_short(goal)}" + (f" {DONE[action]}." if action else "")
    yield from _quoted(goal.text)
    if reply.superseded is not None:
        yield f"Paused for it: goal {_named(reply.superseded)}"
    for change in reply.changes:
        # The lines below tell these already.
        if change.name not in ("status", "reason", "note", "text"):
            yield f"  {change.name}: {visible(change.before or 'none')} → {visible(change.after or 'none')}"
    yield from (f"  {name:<12} {visible(value)}" for name, value in _facts(reply))
    if reply.starts_work:
        yield "Work on it starts."


def _short(goal: Goal) -> str:
    return visible(short_ids([goal.id])[0])


def _named(goal: Goal) -> str:
    return f"{visible(goal.id)} “{visible(first_words(goal.text))}”"


def _quoted(text: str) -> Iterator[str]:
    """Return the text, each of its lines behind a bar."""
    return (f"  │ {visible(line)}" for line in text.replace("\r\n", "\n").split("\n"))


def _facts(reply: ChatReply) -> Iterator[tuple[str, str]]:
    goal, details = reply.goals[0], reply.details
    yield "status", f"{status_of(goal)}, revision {goal.revision}"
    if goal.note:
        yield "note", first_words(goal.note, 300)
    if goal.is_waiting:
        yield "wakes", wait_of(goal)
    for use in budget_uses(goal):
        yield LIMIT_NAMES[use.name], _use(goal, use)
    if details is None:
        yield from (("criterion", first_words(criterion_in_words(each), 300)) for each in goal.criteria)
    else:
        yield "scope", goal.scope
        yield "lease", describe_lease(details.lease)
        yield from reserved_lines(goal, details.total)
        for standing in details.criteria:
            lines = [first_words(line, 300) for line in criterion_lines(standing)]
            yield from zip_longest(["criterion"], lines, fillvalue="")
    yield "age", show_age(reply.at - goal.created_at)


def _use(goal: Goal, use: BudgetUse) -> str:
    shown = used_of(goal, use.name)
    if use.fraction is None:
        return shown
    cells = min(_BAR_CELLS, int(_BAR_CELLS * use.fraction))
    return f"[{'#' * cells}{'.' * (_BAR_CELLS - cells)}] {shown} ({show_percent(use.fraction)})"


def _listed(reply: ChatReply) -> Iterator[str]:
    if not reply.goals:
        yield "No goals yet."
    ids = short_ids([goal.id for goal in reply.goals])
    for short, goal, worker in zip_longest(ids, reply.goals, reply.workers):
        age, by = show_age(reply.at - goal.created_at), f"  (driven by {first_words(worker, 40)})" if worker else ""
        yield f"{visible(short)}  {status_of(goal):<22} {age:>4}  {visible(first_words(goal.text) + by)}"


def _history(reply: ChatReply) -> Iterator[str]:
    yield f"Goal {_named(reply.goals[0])}"
    for event in reply.events:
        yield (
            f"  {event.number:>3}. {event.kind:<10} by {event.actor:<8} {show_age(reply.at - event.at):>4} ago"
            f"  {visible(describe_event(event, _MOST_EVENT_CHARS))}"
        ).rstrip()


def _confirm(reply: ChatReply) -> Iterator[str]:
    yield f"Nothing is done yet: goal {_short(reply.goals[0])} is active and would be paused."
    yield from _quoted(reply.goals[0].text)


def _no_goal(reply: ChatReply) -> Iterator[str]:
    yield f"No goal is active in {visible(reply.scope)}."
    yield from (f"  {status_of(goal)}: {_named(goal)}" for goal in reply.goals)


def _problem(reply: ChatReply) -> Iterator[str]:
    problem = reply.problem
    assert problem is not None
    start = "The store failed" if reply.kind is ReplyKind.FAILED else "Not done"
    yield f"{start}: {visible(problem.message)}. [{problem.code}]"
    yield f"  {visible(problem.advice)}"


def _help(_: ChatReply) -> Iterator[str]:
    width = max(len(usage) for usage, _ in USAGE.values())
    yield from (f"{usage:<{width}}  {meaning}" for usage, meaning in USAGE.values())
    yield from _OPTIONS


def _steps(steps: tuple[ChatStep, ...]) -> Iterator[str]:
    """Return the commands that fit now; one that cannot be copied from a line is described."""
    for step in steps:
        command = step.command
        # What is shown otherwise than it is could not be copied.
        if visible(command) != command or len(command) > _LONGEST_COMMAND:
            head = command.split(" -- ", 1)[0]
            command = f"{visible(first_words(head, 120))} -- and the text as before"
        yield f"→ {step.purpose}: {command}" if step.purpose else f"→ {command}"


_BODIES: Final[dict[ReplyKind, Callable[[ChatReply], Iterator[str]]]] = {
    ReplyKind.LIST: _listed,
    ReplyKind.HISTORY: _history,
    ReplyKind.HELP: _help,
    ReplyKind.CONFIRM: _confirm,
    ReplyKind.NO_GOAL: _no_goal,
    ReplyKind.REFUSED: _problem,
    ReplyKind.FAILED: _problem,
}
