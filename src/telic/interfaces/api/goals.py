"""Creating, finding and defining goals, moving them, and answering what they ask people."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.responses import Response

from telic.domain.budget import BillingPolicy, Budget
from telic.domain.clock import Instant
from telic.domain.criteria import MAX_CRITERIA, criteria_from_data
from telic.domain.errors import InvalidInput
from telic.domain.goal import DEFAULT_SCOPE, Goal, GoalStatus, Reason
from telic.domain.jsonable import time_from_json
from telic.domain.lifecycle import REASONS
from telic.domain.limits import DEFAULT_MAX_CHARS, MAX_TEXT_CHARS
from telic.interfaces.api.answers import goal_answer, goal_tag, json_answer, unchanged_answer
from telic.interfaces.api.operation import ApiCall, ApiOperation, RevisionGuard
from telic.interfaces.api.schema import (
    BUDGET,
    CRITERIA,
    CURSOR,
    LEASE,
    LIMIT,
    NOTE,
    REPLACE,
    SCOPE,
    TIME,
    Schema,
    integer,
    name,
    one_of,
    strict_object,
    text,
)
from telic.interfaces.api.shapes import list_of, open_object, shape
from telic.services.actions import ANSWERS, ActionRequest, GoalAction, execute
from telic.services.insight import list_goals, listing_to_json, read_goal

_SIGNAL: Final = name("A signal's name.")


def instant(text: str | None) -> Instant | None:
    """Return the instant that the text names, if any.

    Raises:
        InvalidInput: there is no such day.
    """
    try:
        return None if text is None else time_from_json(text)
    except ValueError as error:
        raise InvalidInput(f"{text} is no time: {error}") from error


def _reasons(status: GoalStatus) -> Schema:
    return one_of(sorted(REASONS[status]))


async def act(action: GoalAction, call: ApiCall) -> Goal:
    """The action that the request asks for is done, as the operator that was let in; here is the goal after it.

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


def _acting(action: GoalAction) -> Callable[[ApiCall], Awaitable[Response]]:
    async def handle(call: ApiCall) -> Response:
        return goal_answer(await act(action, call))

    return handle


async def _signal(call: ApiCall) -> Response:
    woken = await call.store.signal(call.body["name"], actor=call.actor, key=call.key)
    return json_answer([goal.to_json() for goal in woken])


def _move(
    action: GoalAction,
    summary: str,
    fields: Mapping[str, Schema],
    *,
    required: tuple[str, ...] = (),
    guard: RevisionGuard = RevisionGuard.REQUIRED,
) -> ApiOperation:
    """Return the operation that does this to one goal, and answers with the goal as it stands then."""
    return ApiOperation(
        name=f"{action}_goal",
        method="POST",
        path=f"/goals/{{goal_id}}/{action}",
        summary=summary,
        handle=_acting(action),
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

_MOVES: Final[tuple[ApiOperation, ...]] = (
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
        guard=RevisionGuard.OPTIONAL,
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
    _move(
        GoalAction.WAKE,
        "The waiting goal is awake. Only `replace` pauses another for it.",
        {"replace": REPLACE},
        guard=RevisionGuard.OPTIONAL,
    ),
    _move(GoalAction.APPROVE, "A person approved the criterion.", _ANSWER, required=("criterion",)),
    _move(GoalAction.REJECT, "A person rejected the criterion.", _ANSWER, required=("criterion",)),
    ApiOperation(
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


_GOAL_TEXT: Final = text(MAX_TEXT_CHARS, 1, description="What is to be reached.")
_MAX_CHARS: Final = integer(1, MAX_TEXT_CHARS, description=f"The longest text; {DEFAULT_MAX_CHARS} by default.")
_PAGE: Final[Schema] = open_object(
    {
        "goals": list_of({"allOf": [shape("goal"), open_object({"holder": {"type": ["string", "null"]}})]}),
        "next_cursor": {"type": ["string", "null"]},
    }
)


async def _list(call: ApiCall) -> Response:
    wanted: dict[str, Any] = dict(call.query)
    if "status" in wanted:
        wanted["status"] = GoalStatus(wanted["status"])
    return json_answer(listing_to_json(await list_goals(call.store, **wanted)))


async def _create(call: ApiCall) -> Response:
    goal = await act(GoalAction.CREATE, call)
    return goal_answer(goal, 201, {"Location": f"{call.root}/goals/{goal.id}"})


async def _get(call: ApiCall) -> Response:
    goal = await call.goal()
    is_known = "*" in call.known_tags or goal_tag(goal) in call.known_tags
    return unchanged_answer(goal) if is_known else goal_answer(goal)


async def _details(call: ApiCall) -> Response:
    return json_answer((await read_goal(call.store, (await call.goal()).id)).as_dict())


OPERATIONS: Final[tuple[ApiOperation, ...]] = (
    ApiOperation(
        name="list_goals",
        method="GET",
        path="/goals",
        summary="One page of goals, newest first.",
        handle=_list,
        answer=_PAGE,
        query={
            "scope": SCOPE,
            "status": one_of(list(GoalStatus)),
            "text": text(MAX_TEXT_CHARS, 1, description="Only goals whose text has this in it."),
            "cursor": CURSOR,
            "limit": LIMIT,
        },
    ),
    ApiOperation(
        name="create_goal",
        method="POST",
        path="/goals",
        summary="A new goal is its scope's active one. Where another is, only `replace` pauses it.",
        handle=_create,
        answer=shape("goal"),
        status=201,
        body=strict_object(
            {
                "text": _GOAL_TEXT,
                "scope": SCOPE,
                "budget": BUDGET,
                "criteria": CRITERIA,
                "billing": one_of(list(BillingPolicy)),
                "max_chars": _MAX_CHARS,
                "replace": REPLACE,
            },
            ["text"],
        ),
        is_write=True,
        is_keyed=True,
        is_tagged=True,
    ),
    ApiOperation(
        name="get_goal",
        method="GET",
        path="/goals/{goal_id}",
        summary="The goal as it stands.",
        handle=_get,
        answer=shape("goal"),
        is_tagged=True,
    ),
    ApiOperation(
        name="get_details",
        method="GET",
        path="/goals/{goal_id}/details",
        summary="The goal in full: who drives it, what is held, what is estimated, and how its criteria stand.",
        handle=_details,
        answer=shape("details"),
    ),
    ApiOperation(
        name="edit_goal",
        method="PATCH",
        path="/goals/{goal_id}",
        summary="The goal has this text and these criteria; what is left out stays.",
        handle=_acting(GoalAction.EDIT),
        answer=shape("goal"),
        body=strict_object({"text": _GOAL_TEXT, "criteria": CRITERIA, "max_chars": _MAX_CHARS}, minProperties=1),
        guard=RevisionGuard.REQUIRED,
        is_write=True,
        is_keyed=True,
        is_tagged=True,
    ),
    ApiOperation(
        name="set_budget",
        method="PUT",
        path="/goals/{goal_id}/budget",
        summary="The goal has exactly this budget; an active one that has used it up is paused.",
        handle=_acting(GoalAction.SET_BUDGET),
        answer=shape("goal"),
        body=BUDGET,
        guard=RevisionGuard.REQUIRED,
        is_write=True,
        is_keyed=True,
        is_tagged=True,
    ),
    *_MOVES,
)
