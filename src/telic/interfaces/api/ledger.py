"""Accounting turns, holding budget beforehand, and what was consumed."""

from typing import Any, Final

from starlette.responses import Response

from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.errors import InvalidInput
from telic.domain.goal import Actor
from telic.domain.jsonable import hold_to_json, report_to_json, turn_to_json
from telic.domain.limits import MAX_NAME_CHARS
from telic.domain.report import MAX_GROUPS, UsageGrouping
from telic.interfaces.api.answers import goal_tag, json_answer
from telic.interfaces.api.goals import instant
from telic.interfaces.api.operation import ApiCall, ApiOperation
from telic.interfaces.api.schema import (
    AFTER_NUMBER,
    COUNTS,
    GOAL_ID,
    LEASE,
    LIMIT,
    MODEL_USAGE,
    SCOPE,
    TIME,
    TTL,
    TURN_USAGE,
    integer,
    name,
    one_of,
    strict_object,
    text,
)
from telic.interfaces.api.shapes import list_of, open_object, shape

_HOLD_KEY: Final = name("The key of a hold.")


async def _record(call: ApiCall) -> Response:
    goal = await call.goal()
    result = await call.store.record_turn(
        goal.id,
        usage=_usage(call.body),
        kind=UsageKind(call.body.get("kind", UsageKind.WORK)),
        model=call.body.get("model"),
        hold=call.body.get("hold"),
        lease=call.lease(goal),
        actor=Actor.HOST,
        key=call.key,
    )
    content = {"goal": result.goal.to_json(), "turn": turn_to_json(result.turn)}
    return json_answer(content, 201, {"ETag": goal_tag(result.goal)})


def _usage(body: Any) -> TurnUsage | ModelUsage:
    given = [name for name in ("tokens", "usage", "model_usage") if name in body]
    match given:
        case ["tokens"]:
            return TurnUsage(tokens=body["tokens"])
        case ["usage"]:
            return TurnUsage(**body["usage"])
        case ["model_usage"]:
            return ModelUsage(**body["model_usage"])
        case _:
            raise InvalidInput("give tokens, usage or model_usage, one of them")


async def _turns(call: ApiCall) -> Response:
    goal = await call.goal()
    return json_answer([turn_to_json(turn) for turn in await call.store.turns(goal.id, **call.query)])


async def _hold(call: ApiCall) -> Response:
    goal = await call.goal()
    wanted = {field: value for field, value in call.body.items() if field != "lease"}
    lease = call.lease(goal)
    hold = await call.store.hold(goal.id, **wanted, lease=lease, actor=Actor.HOST, key=call.key)
    return json_answer(hold_to_json(hold), 201)


async def _holds(call: ApiCall) -> Response:
    goal = await call.goal()
    return json_answer([hold_to_json(hold) for hold in await call.store.holds(goal.id, **call.query)])


async def _release(call: ApiCall) -> Response:
    goal = await call.goal()
    lease = call.lease(goal)
    released = await call.store.release(goal.id, call.body["hold"], lease=lease, actor=Actor.HOST, key=call.key)
    return json_answer(hold_to_json(released))


async def _report(call: ApiCall) -> Response:
    wanted: dict[str, Any] = dict(call.query)
    wanted["by"] = UsageGrouping(wanted.get("by", UsageGrouping.GOAL))
    wanted |= {name: instant(wanted[name]) for name in ("since", "until") if name in wanted}
    if "goal_id" in wanted:
        wanted["goal_id"] = (await call.goal_of(wanted["goal_id"])).id
    return json_answer(report_to_json(await call.store.usage(**wanted)))


OPERATIONS: Final[tuple[ApiOperation, ...]] = (
    ApiOperation(
        name="record_turn",
        method="POST",
        path="/goals/{goal_id}/turns",
        summary="The turn of this key is counted exactly once, whatever the goal's status.",
        handle=_record,
        answer=open_object({"goal": shape("goal"), "turn": shape("turn")}),
        status=201,
        body=strict_object(
            {
                "tokens": integer(description="Short for a usage with nothing else."),
                "usage": TURN_USAGE,
                "model_usage": MODEL_USAGE,
                "kind": one_of(list(UsageKind)),
                "model": text(MAX_NAME_CHARS, 1),
                "hold": _HOLD_KEY,
                "lease": LEASE,
            },
            minProperties=1,
        ),
        is_write=True,
        is_keyed=True,
    ),
    ApiOperation(
        name="list_turns",
        method="GET",
        path="/goals/{goal_id}/turns",
        summary="The goal's turns, in order.",
        handle=_turns,
        answer=list_of(shape("turn")),
        query={"after": AFTER_NUMBER, "limit": LIMIT},
    ),
    ApiOperation(
        name="hold_budget",
        method="POST",
        path="/goals/{goal_id}/holds",
        summary="The amounts are reserved until a turn settles the hold, it is released, or it expires.",
        handle=_hold,
        answer=shape("hold"),
        status=201,
        body=strict_object({**COUNTS, "ttl_seconds": TTL, "lease": LEASE}),
        is_write=True,
        is_keyed=True,
    ),
    ApiOperation(
        name="list_holds",
        method="GET",
        path="/goals/{goal_id}/holds",
        summary="The goal's holds, in the order of their keys.",
        handle=_holds,
        answer=list_of(shape("hold")),
        query={"after": text(MAX_NAME_CHARS, description="Only keys above this."), "limit": LIMIT},
    ),
    ApiOperation(
        name="release_hold",
        method="POST",
        path="/goals/{goal_id}/holds/release",
        summary="What the open hold reserved is free again.",
        handle=_release,
        answer=shape("hold"),
        body=strict_object({"hold": _HOLD_KEY, "lease": LEASE}, ["hold"]),
        is_write=True,
        is_keyed=True,
    ),
    ApiOperation(
        name="get_usage",
        method="GET",
        path="/usage",
        summary="What was consumed, added up.",
        handle=_report,
        answer=shape("report"),
        query={
            "by": one_of(list(UsageGrouping)),
            "scope": SCOPE,
            "goal_id": GOAL_ID,
            "since": TIME,
            "until": TIME,
            "limit": integer(1, MAX_GROUPS, description="At most so many groups; the total has all."),
        },
    ),
)
