"""Creating, finding and defining goals, moving them, and answering what they ask people."""

from collections.abc import Mapping
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
from telic.domain.views import GoalOrder
from telic.interfaces.api import schema
from telic.interfaces.api.answers import HEADERS, goal_answer, goal_tag, json_answer
from telic.interfaces.api.operation import ApiCall, ApiOperation, RevisionGuard, operation
from telic.services.actions import ANSWERS, ActionRequest, GoalAction, execute
from telic.services.insight import list_goals, listing_to_json, read_goal
from telic.services.json_schema import Schema


def instant(text: str | None) -> Instant | None:
    """Return the instant that the text names, if any.

    Raises:
        InvalidInput: there is no such day.
    """
    try:
        return None if text is None else time_from_json(text)
    except ValueError as error:
        raise InvalidInput(f"{text} is no time: {error}") from error


async def _act(action: GoalAction, call: ApiCall) -> Goal:
    """Do what the request asks for, as the operator that was let in, and return the goal after it."""
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


_GOAL_TEXT: Final = schema.text(MAX_TEXT_CHARS, 1, description="What is to be reached.")
_MAX_CHARS: Final = schema.integer(1, MAX_TEXT_CHARS, description=f"The longest text; {DEFAULT_MAX_CHARS} by default.")
_SIGNAL: Final = schema.name("A signal's name.")
_LISTED: Final = {"allOf": [schema.GOAL, schema.open_object({"worker": {"type": ["string", "null"]}})]}
_LISTING: Final = {
    "scope": schema.SCOPE,
    "status": schema.one_of(list(GoalStatus)),
    "reason": schema.one_of(list(Reason)),
    "text": schema.text(MAX_TEXT_CHARS, 1, description="Only goals whose text has this in it."),
    "worker": schema.name("Only goals that this worker drives."),
    "order": schema.one_of(list(GoalOrder), description="`newest` by default; `changed` puts the latest change first."),
    "cursor": schema.CURSOR,
    "limit": schema.LIMIT,
}


@operation(
    "GET /goals",
    "One page of goals, newest first unless another order is asked for.",
    schema.open_object({"goals": schema.list_of(_LISTED), "next_cursor": {"type": ["string", "null"]}}),
    query=_LISTING,
)
async def _list_goals(call: ApiCall) -> Response:
    kinds = {"status": GoalStatus, "reason": Reason, "order": GoalOrder}
    wanted: dict[str, Any] = {name: kinds.get(name, _as_it_is)(value) for name, value in call.query.items()}
    return json_answer(listing_to_json(await list_goals(call.store, **wanted)))


def _as_it_is(value: Any) -> Any:
    return value


_NEW_GOAL: Final[Mapping[str, Schema]] = {
    "text": _GOAL_TEXT,
    "scope": schema.SCOPE,
    "budget": schema.BUDGET,
    "criteria": schema.CRITERIA,
    "billing": schema.one_of(list(BillingPolicy)),
    "max_chars": _MAX_CHARS,
    "replace": schema.REPLACE,
}


@operation(
    "POST /goals",
    "A new goal is its scope's active one. Where another is, only `replace` pauses it.",
    schema.GOAL,
    status=201,
    body=schema.strict_object(_NEW_GOAL, ["text"]),
    is_keyed=True,
)
async def _create_goal(call: ApiCall) -> Response:
    goal = await _act(GoalAction.CREATE, call)
    return goal_answer(goal, 201, {"Location": f"{call.root}/goals/{goal.id}"})


@operation("GET /goals/{goal_id}", "The goal as it stands.", schema.GOAL)
async def _get_goal(call: ApiCall) -> Response:
    goal = await call.goal()
    is_known = "*" in call.known_tags or goal_tag(goal) in call.known_tags
    return Response(None, 304, {**HEADERS, "ETag": goal_tag(goal)}) if is_known else goal_answer(goal)


@operation(
    "GET /goals/{goal_id}/details",
    "The goal in full: who drives it, what is held, what is estimated, and how its criteria stand.",
    schema.shape("details"),
)
async def _get_details(call: ApiCall) -> Response:
    return json_answer((await read_goal(call.store, (await call.goal()).id)).as_dict())


@operation(
    "POST /signals",
    "Every goal that waited for the signal is awake, or kept asleep where another is active.",
    schema.list_of(schema.GOAL),
    body=schema.strict_object({"name": _SIGNAL}, ["name"]),
    is_keyed=True,
)
async def _signal(call: ApiCall) -> Response:
    woken = await call.store.signal(call.body["name"], actor=call.actor, key=call.key)
    return json_answer([goal.to_json() for goal in woken])


def _acting(
    action: GoalAction, summary: str, body: Schema, guard: RevisionGuard = RevisionGuard.REQUIRED, **more: Any
) -> ApiOperation:
    """Return the operation that does this to one goal, and answers with the goal as it stands then."""
    given = {"name": f"{action}_goal", "route": f"POST /goals/{{goal_id}}/{action}"} | more

    async def handle(call: ApiCall) -> Response:
        return goal_answer(await _act(action, call))

    return operation(summary=summary, answer=schema.GOAL, body=body, guard=guard, is_keyed=True, **given)(handle)


_PAUSING: Final[Mapping[str, Schema]] = {
    "reason": schema.one_of(sorted(REASONS[GoalStatus.PAUSED])),
    "note": schema.NOTE,
    "wake_at": schema.TIME,
    "wake_signal": _SIGNAL,
    "lease": schema.LEASE,
}
_CLEARING: Final[Mapping[str, Schema]] = {
    "reason": schema.one_of(sorted(REASONS[GoalStatus.CLEARED])),
    "note": schema.NOTE,
    "lease": schema.LEASE,
}
_ANSWERING: Final[Mapping[str, Schema]] = {
    "criterion": schema.integer(1, MAX_CRITERIA, description="Which criterion, counted from 1."),
    "note": schema.NOTE,
    "decided_by": schema.name("Who decided; by default the operator that was let in."),
}

OPERATIONS: Final[tuple[ApiOperation, ...]] = (
    _list_goals,
    _create_goal,
    _get_goal,
    _get_details,
    _acting(
        GoalAction.EDIT,
        "The goal has this text and these criteria; what is left out stays.",
        schema.strict_object(
            {"text": _GOAL_TEXT, "criteria": schema.CRITERIA, "max_chars": _MAX_CHARS}, minProperties=1
        ),
        route="PATCH /goals/{goal_id}",
    ),
    _acting(
        GoalAction.SET_BUDGET,
        "The goal has exactly this budget; an active one that has used it up is paused.",
        schema.BUDGET,
        route="PUT /goals/{goal_id}/budget",
        name="set_budget",
    ),
    # Stopping what runs wild must not fail because it has changed meanwhile.
    _acting(
        GoalAction.PAUSE,
        "The goal is paused, for good or until a time or a signal. Stopping needs no If-Match.",
        schema.strict_object(_PAUSING),
        RevisionGuard.OPTIONAL,
    ),
    _acting(
        GoalAction.RESUME,
        "The paused goal is active, with this budget where one is given. Only `replace` pauses another for it.",
        schema.strict_object({"budget": schema.BUDGET, "note": schema.NOTE, "replace": schema.REPLACE}),
    ),
    _acting(
        GoalAction.COMPLETE,
        "The goal is completed; its criteria are accepted.",
        schema.strict_object({"note": schema.NOTE, "lease": schema.LEASE}),
    ),
    _acting(
        GoalAction.CLEAR,
        "The goal is given up, for good; its history stays.",
        schema.strict_object(_CLEARING),
    ),
    _acting(
        GoalAction.WAKE,
        "The waiting goal is awake. Only `replace` pauses another for it.",
        schema.strict_object({"replace": schema.REPLACE}),
        RevisionGuard.OPTIONAL,
    ),
    _acting(GoalAction.APPROVE, "A person approved the criterion.", schema.strict_object(_ANSWERING, ["criterion"])),
    _acting(GoalAction.REJECT, "A person rejected the criterion.", schema.strict_object(_ANSWERING, ["criterion"])),
    _signal,
)
