"""Creating, finding and defining goals."""

from typing import Any, Final

from starlette.responses import Response

from telic.domain.budget import BillingPolicy, Budget
from telic.domain.criteria import criteria_from_data
from telic.domain.goal import DEFAULT_SCOPE, Actor, GoalStatus
from telic.domain.limits import DEFAULT_MAX_CHARS, MAX_TEXT_CHARS
from telic.interfaces.api.answers import goal_answer, goal_tag, json_answer, unchanged_answer
from telic.interfaces.api.operation import Call, Guard, Operation
from telic.interfaces.api.parameters import BUDGET, CRITERIA, CURSOR, LIMIT, REPLACE, SCOPE
from telic.interfaces.api.schema import Schema, integer, one_of, strict_object, text
from telic.interfaces.api.shapes import list_of, open_object, shape
from telic.services.insight import list_goals, listing_to_json, read_goal

_GOAL_TEXT: Final = text(MAX_TEXT_CHARS, 1, description="What is to be reached.")
_MAX_CHARS: Final = integer(1, MAX_TEXT_CHARS, description=f"The longest text; {DEFAULT_MAX_CHARS} by default.")
_PAGE: Final[Schema] = open_object(
    {
        "goals": list_of({"allOf": [shape("goal"), open_object({"holder": {"type": ["string", "null"]}})]}),
        "next_cursor": {"type": ["string", "null"]},
    }
)


async def _list(call: Call) -> Response:
    wanted: dict[str, Any] = dict(call.query)
    if "status" in wanted:
        wanted["status"] = GoalStatus(wanted["status"])
    return json_answer(listing_to_json(await list_goals(call.store, **wanted)))


async def _create(call: Call) -> Response:
    goal = await call.store.create(
        call.body["text"],
        scope=call.body.get("scope", DEFAULT_SCOPE),
        budget=Budget(**call.body.get("budget", {})),
        criteria=criteria_from_data(call.body.get("criteria", ())),
        billing=BillingPolicy(call.body.get("billing", BillingPolicy.INPUT_AND_OUTPUT)),
        max_chars=call.body.get("max_chars", DEFAULT_MAX_CHARS),
        replace=call.body.get("replace", False),
        actor=Actor.OPERATOR,
        key=call.key,
    )
    return goal_answer(goal, 201, {"Location": f"{call.root}/goals/{goal.id}"})


async def _get(call: Call) -> Response:
    goal = await call.goal()
    is_known = "*" in call.known_tags or goal_tag(goal) in call.known_tags
    return unchanged_answer(goal) if is_known else goal_answer(goal)


async def _details(call: Call) -> Response:
    return json_answer((await read_goal(call.store, (await call.goal()).id)).as_dict())


async def _edit(call: Call) -> Response:
    goal = await call.goal()
    criteria = call.body.get("criteria")
    edited = await call.store.edit(
        goal.id,
        text=call.body.get("text"),
        criteria=None if criteria is None else criteria_from_data(criteria),
        max_chars=call.body.get("max_chars", DEFAULT_MAX_CHARS),
        actor=Actor.OPERATOR,
        **call.guard,
    )
    return goal_answer(edited)


async def _set_budget(call: Call) -> Response:
    goal = await call.goal()
    return goal_answer(await call.store.set_budget(goal.id, Budget(**call.body), actor=Actor.OPERATOR, **call.guard))


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
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
    Operation(
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
    Operation(
        name="get_goal",
        method="GET",
        path="/goals/{goal_id}",
        summary="The goal as it stands.",
        handle=_get,
        answer=shape("goal"),
        is_tagged=True,
    ),
    Operation(
        name="get_details",
        method="GET",
        path="/goals/{goal_id}/details",
        summary="The goal in full: who drives it, what is held, what is estimated, and how its criteria stand.",
        handle=_details,
        answer=shape("details"),
    ),
    Operation(
        name="edit_goal",
        method="PATCH",
        path="/goals/{goal_id}",
        summary="The goal has this text and these criteria; what is left out stays.",
        handle=_edit,
        answer=shape("goal"),
        body=strict_object({"text": _GOAL_TEXT, "criteria": CRITERIA, "max_chars": _MAX_CHARS}, minProperties=1),
        guard=Guard.REQUIRED,
        is_write=True,
        is_keyed=True,
        is_tagged=True,
    ),
    Operation(
        name="set_budget",
        method="PUT",
        path="/goals/{goal_id}/budget",
        summary="The goal has exactly this budget; an active one that has used it up is paused.",
        handle=_set_budget,
        answer=shape("goal"),
        body=BUDGET,
        guard=Guard.REQUIRED,
        is_write=True,
        is_keyed=True,
        is_tagged=True,
    ),
)
