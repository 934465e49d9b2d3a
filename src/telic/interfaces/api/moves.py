"""Moving goals from one status to another, waking them, and answering what they ask people."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.responses import Response

from telic.domain.budget import Budget
from telic.domain.clock import Instant
from telic.domain.criteria import MAX_CRITERIA
from telic.domain.errors import InvalidInput
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.jsonable import goal_to_json, time_from_json
from telic.domain.lifecycle import REASONS
from telic.interfaces.api.answers import goal_answer, json_answer
from telic.interfaces.api.operation import Call, Guard, Operation
from telic.interfaces.api.parameters import BUDGET, LEASE, NOTE, REPLACE, TIME
from telic.interfaces.api.schema import Schema, integer, name, one_of, strict_object
from telic.interfaces.api.shapes import list_of, shape

_SIGNAL: Final = name("A signal's name.")


def instant(text: str | None) -> Instant | None:
    """The instant that the text names, if any.

    Raises:
        InvalidInput: there is no such day.
    """
    try:
        return None if text is None else time_from_json(text)
    except ValueError as error:
        raise InvalidInput(f"{text} is no time: {error}") from error


def _reasons(status: GoalStatus) -> Schema:
    return one_of(sorted(REASONS[status]))


async def _pause(call: Call, goal: Goal) -> Goal:
    reason = call.body.get("reason")
    return await call.store.pause(
        goal.id,
        reason=None if reason is None else Reason(reason),
        note=call.body.get("note"),
        wake_at=instant(call.body.get("wake_at")),
        wake_signal=call.body.get("wake_signal"),
        lease=call.lease(goal),
        actor=Actor.OPERATOR,
        **call.guard,
    )


async def _resume(call: Call, goal: Goal) -> Goal:
    budget = call.body.get("budget")
    return await call.store.resume(
        goal.id,
        budget=None if budget is None else Budget(**budget),
        note=call.body.get("note"),
        replace=call.body.get("replace", False),
        actor=Actor.OPERATOR,
        **call.guard,
    )


async def _complete(call: Call, goal: Goal) -> Goal:
    note, lease = call.body.get("note"), call.lease(goal)
    return await call.store.complete(goal.id, note=note, lease=lease, actor=Actor.OPERATOR, **call.guard)


async def _clear(call: Call, goal: Goal) -> Goal:
    return await call.store.clear(
        goal.id,
        reason=Reason(call.body.get("reason", Reason.DISMISSED)),
        note=call.body.get("note"),
        lease=call.lease(goal),
        actor=Actor.OPERATOR,
        **call.guard,
    )


async def _wake(call: Call, goal: Goal) -> Goal:
    replace = call.body.get("replace", False)
    return await call.store.wake(goal.id, replace=replace, actor=Actor.OPERATOR, **call.guard)


async def _answer(call: Call, goal: Goal, *, is_approved: bool) -> Goal:
    return await call.store.approve(
        goal.id,
        call.body["criterion"] - 1,
        is_approved=is_approved,
        decided_by=call.body.get("decided_by", call.actor_name),
        note=call.body.get("note", ""),
        actor=Actor.OPERATOR,
        **call.guard,
    )


async def _approve(call: Call, goal: Goal) -> Goal:
    return await _answer(call, goal, is_approved=True)


async def _reject(call: Call, goal: Goal) -> Goal:
    return await _answer(call, goal, is_approved=False)


async def _signal(call: Call) -> Response:
    woken = await call.store.signal(call.body["name"], actor=Actor.OPERATOR, key=call.key)
    return json_answer([goal_to_json(goal) for goal in woken])


def _move(
    verb: str,
    summary: str,
    move: Callable[[Call, Goal], Awaitable[Goal]],
    fields: Mapping[str, Schema],
    *,
    required: tuple[str, ...] = (),
    guard: Guard = Guard.REQUIRED,
) -> Operation:
    """What is done to one goal, and gives it as it stands then."""

    async def handle(call: Call) -> Response:
        return goal_answer(await move(call, await call.goal()))

    return Operation(
        name=f"{verb}_goal",
        method="POST",
        path=f"/goals/{{goal_id}}/{verb}",
        summary=summary,
        handle=handle,
        answer=shape("goal"),
        body=strict_object(fields, required),
        guard=guard,
        is_write=True,
        is_keyed=True,
        is_tagged=True,
    )


_ANSWER: Final[Mapping[str, Schema]] = {
    "criterion": integer(1, MAX_CRITERIA, description="Which criterion, counted from 1."),
    "note": NOTE,
    "decided_by": name("Who decided; by default whoever was let in."),
}

OPERATIONS: Final[tuple[Operation, ...]] = (
    _move(
        "pause",
        "The goal is paused, for good or until a time or a signal. Stopping needs no If-Match.",
        _pause,
        {
            "reason": _reasons(GoalStatus.PAUSED),
            "note": NOTE,
            "wake_at": TIME,
            "wake_signal": _SIGNAL,
            "lease": LEASE,
        },
        guard=Guard.OPTIONAL,
    ),
    _move(
        "resume",
        "The paused goal is active, with this budget where one is given. Only `replace` pauses another for it.",
        _resume,
        {"budget": BUDGET, "note": NOTE, "replace": REPLACE},
    ),
    _move("complete", "The goal is completed; its criteria are accepted.", _complete, {"note": NOTE, "lease": LEASE}),
    _move(
        "clear",
        "The goal is given up, for good; its history stays.",
        _clear,
        {"reason": _reasons(GoalStatus.CLEARED), "note": NOTE, "lease": LEASE},
    ),
    _move(
        "wake",
        "The waiting goal is awake. Only `replace` pauses another for it.",
        _wake,
        {"replace": REPLACE},
        guard=Guard.OPTIONAL,
    ),
    _move("approve", "A person approved the criterion.", _approve, _ANSWER, required=("criterion",)),
    _move("reject", "A person rejected the criterion.", _reject, _ANSWER, required=("criterion",)),
    Operation(
        name="signal",
        method="POST",
        path="/signals",
        summary="Every goal that waited for the signal is awake, or kept asleep where another is active.",
        handle=_signal,
        answer=list_of(shape("goal")),
        body=strict_object({"name": _SIGNAL}, ["name"]),
        is_write=True,
        is_keyed=True,
    ),
)
