"""Moving goals from one status to another, waking them, and answering what they ask people."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from telic.domain.budget import BillingPolicy, Budget
from telic.domain.clock import Instant
from telic.domain.criteria import MAX_CRITERIA, criteria_from_data
from telic.domain.errors import InvalidInput
from telic.domain.goal import DEFAULT_SCOPE, Goal, GoalStatus, Reason
from telic.domain.jsonable import goal_to_json, time_from_json
from telic.domain.lifecycle import REASONS
from telic.domain.limits import DEFAULT_MAX_CHARS
from telic.interfaces.api.answers import goal_answer, json_answer
from telic.interfaces.api.operation import Call, Guard, Operation
from telic.interfaces.api.parameters import BUDGET, LEASE, NOTE, REPLACE, TIME
from telic.interfaces.api.schema import Schema, integer, name, one_of, strict_object
from telic.interfaces.api.shapes import list_of, shape
from telic.services.actions import ANSWERS, ActionRequest, GoalAction, execute

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


async def act(action: GoalAction, call: Call) -> Goal:
    """The action that the request asks for is done, by whoever was let in; here is the goal after it.

    Raises:
        GoalError: as `execute`.
    """
    body = call.body
    goal = None if action is GoalAction.CREATE else await call.goal()
    budget = body if action is GoalAction.SET_BUDGET else body.get("budget")
    criteria = body.get("criteria")
    request = ActionRequest(
        action=action,
        actor=call.actor,
        goal=goal,
        expected_revision=call.expected_revision,
        key=call.key,
        note=body.get("note"),
        reason=Reason(body["reason"]) if "reason" in body else None,
        budget=None if budget is None else Budget(**budget),
        criterion=body["criterion"] - 1 if action in ANSWERS else None,
        replace=body.get("replace", False),
        wake_at=instant(body.get("wake_at")),
        wake_signal=body.get("wake_signal"),
        lease=None if goal is None else call.lease(goal),
        decided_by=body.get("decided_by"),
        text=body.get("text"),
        criteria=None if criteria is None else criteria_from_data(criteria),
        max_chars=body.get("max_chars", DEFAULT_MAX_CHARS),
        scope=body.get("scope", DEFAULT_SCOPE),
        billing=BillingPolicy(body.get("billing", BillingPolicy.INPUT_AND_OUTPUT)),
    )
    return (await execute(call.store, request)).goal


async def _signal(call: Call) -> Response:
    woken = await call.store.signal(call.body["name"], actor=call.actor, key=call.key)
    return json_answer([goal_to_json(goal) for goal in woken])


def _move(
    action: GoalAction,
    summary: str,
    fields: Mapping[str, Schema],
    *,
    required: tuple[str, ...] = (),
    guard: Guard = Guard.REQUIRED,
) -> Operation:
    """Return the operation that does this to one goal, and answers with the goal as it stands then."""

    async def handle(call: Call) -> Response:
        return goal_answer(await act(action, call))

    return Operation(
        name=f"{action}_goal",
        method="POST",
        path=f"/goals/{{goal_id}}/{action}",
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
        GoalAction.PAUSE,
        "The goal is paused, for good or until a time or a signal. Stopping needs no If-Match.",
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
        GoalAction.RESUME,
        "The paused goal is active, with this budget where one is given. Only `replace` pauses another for it.",
        {"budget": BUDGET, "note": NOTE, "replace": REPLACE},
    ),
    _move(GoalAction.COMPLETE, "The goal is completed; its criteria are accepted.", {"note": NOTE, "lease": LEASE}),
    _move(
        GoalAction.CLEAR,
        "The goal is given up, for good; its history stays.",
        {"reason": _reasons(GoalStatus.CLEARED), "note": NOTE, "lease": LEASE},
    ),
    _move(GoalAction.WAKE, "The waiting goal is awake.", {}, guard=Guard.OPTIONAL),
    _move(GoalAction.APPROVE, "A person approved the criterion.", _ANSWER, required=("criterion",)),
    _move(GoalAction.REJECT, "A person rejected the criterion.", _ANSWER, required=("criterion",)),
    Operation(
        name="signal",
        method="POST",
        path="/signals",
        summary="Every goal that waited for the signal is awake; here they are.",
        handle=_signal,
        answer=list_of(shape("goal")),
        body=strict_object({"name": _SIGNAL}, ["name"]),
        is_write=True,
        is_keyed=True,
    ),
)
