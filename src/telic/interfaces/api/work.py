"""The operations of workers: accounting turns, holding budget beforehand, and driving a goal alone."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.errors import InvalidInput
from telic.domain.goal import Actor
from telic.domain.jsonable import (
    hold_to_json,
    lease_state_to_json,
    lease_to_json,
    report_to_json,
    turn_to_json,
)
from telic.domain.lease import Lease
from telic.domain.limits import MAX_NAME_CHARS
from telic.domain.report import MAX_GROUPS, UsageGrouping
from telic.interfaces.api import schema
from telic.interfaces.api.answers import goal_answer, goal_tag, json_answer
from telic.interfaces.api.goals import instant
from telic.interfaces.api.operation import ApiCall, ApiOperation, operation
from telic.services.json_schema import Schema

_HOLD_KEY: Final = schema.name("The key of a hold.")
_TURN: Final[Mapping[str, Schema]] = {
    "tokens": schema.integer(description="Short for a usage with nothing else."),
    "usage": schema.TURN_USAGE,
    "model_usage": schema.MODEL_USAGE,
    "kind": schema.one_of(list(UsageKind)),
    "model": schema.text(MAX_NAME_CHARS, 1),
    "hold": _HOLD_KEY,
    "lease": schema.LEASE,
}


@operation(
    "POST /goals/{goal_id}/turns",
    "The turn of this key is counted exactly once, whatever the goal's status.",
    schema.open_object({"goal": schema.GOAL, "turn": schema.shape("turn")}),
    status=201,
    body=schema.strict_object(_TURN, minProperties=1),
    is_keyed=True,
)
async def _record_turn(call: ApiCall) -> Response:
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


def _usage(body: Mapping[str, Any]) -> TurnUsage | ModelUsage:
    match [name for name in ("tokens", "usage", "model_usage") if name in body]:
        case ["tokens"]:
            return TurnUsage(tokens=body["tokens"])
        case ["usage"]:
            return TurnUsage(**body["usage"])
        case ["model_usage"]:
            return ModelUsage(**body["model_usage"])
        case _:
            raise InvalidInput("give tokens, usage or model_usage, one of them")


@operation(
    "GET /goals/{goal_id}/turns",
    "The goal's turns, in order.",
    schema.list_of(schema.shape("turn")),
    query={"after": schema.AFTER_NUMBER, "limit": schema.LIMIT},
)
async def _list_turns(call: ApiCall) -> Response:
    goal = await call.goal()
    return json_answer([turn_to_json(turn) for turn in await call.store.turns(goal.id, **call.query)])


@operation(
    "POST /goals/{goal_id}/holds",
    "The amounts are reserved until a turn settles the hold, it is released, or it expires.",
    schema.shape("hold"),
    status=201,
    body=schema.strict_object({**schema.COUNTS, "ttl_seconds": schema.TTL, "lease": schema.LEASE}),
    is_keyed=True,
)
async def _hold_budget(call: ApiCall) -> Response:
    goal = await call.goal()
    wanted: dict[str, Any] = {**call.body, "lease": call.lease(goal)}
    return json_answer(hold_to_json(await call.store.hold(goal.id, **wanted, actor=Actor.HOST, key=call.key)), 201)


@operation(
    "GET /goals/{goal_id}/holds",
    "The goal's holds, in the order of their keys.",
    schema.list_of(schema.shape("hold")),
    query={"after": schema.text(MAX_NAME_CHARS, description="Only keys above this."), "limit": schema.LIMIT},
)
async def _list_holds(call: ApiCall) -> Response:
    goal = await call.goal()
    return json_answer([hold_to_json(hold) for hold in await call.store.holds(goal.id, **call.query)])


@operation(
    "POST /goals/{goal_id}/holds/release",
    "What the open hold reserved is free again.",
    schema.shape("hold"),
    body=schema.strict_object({"hold": _HOLD_KEY, "lease": schema.LEASE}, ["hold"]),
    is_keyed=True,
)
async def _release_hold(call: ApiCall) -> Response:
    goal = await call.goal()
    lease = call.lease(goal)
    released = await call.store.release(goal.id, call.body["hold"], lease=lease, actor=Actor.HOST, key=call.key)
    return json_answer(hold_to_json(released))


_REPORT: Final[Mapping[str, Schema]] = {
    "by": schema.one_of(list(UsageGrouping)),
    "scope": schema.SCOPE,
    "goal_id": schema.GOAL_ID,
    "since": schema.TIME,
    "until": schema.TIME,
    "limit": schema.integer(1, MAX_GROUPS, description="At most so many groups; the total has all."),
}


@operation("GET /usage", "What was consumed, added up.", schema.shape("report"), query=_REPORT)
async def _get_usage(call: ApiCall) -> Response:
    wanted = await call.named_goal(call.query)
    wanted["by"] = UsageGrouping(wanted.get("by", UsageGrouping.GOAL))
    wanted |= {name: instant(wanted[name]) for name in ("since", "until") if name in wanted}
    return json_answer(report_to_json(await call.store.usage(**wanted)))


@operation("GET /goals/{goal_id}/lease", "Who may drive the goal now.", schema.shape("lease_state"))
async def _get_lease(call: ApiCall) -> Response:
    goal = await call.goal()
    return json_answer(lease_state_to_json(await call.store.lease(goal.id)))


@operation(
    "POST /leases",
    "The worker has the lease of the active goal, named by its id or its scope, and alone may drive it.",
    schema.shape("lease"),
    body=schema.strict_object(
        {"goal_id": schema.GOAL_ID, "scope": schema.SCOPE, "worker": schema.WORKER, "ttl_seconds": schema.TTL},
        ["worker"],
    ),
    status=201,
)
async def _claim_goal(call: ApiCall) -> Response:
    if ("goal_id" in call.body) is ("scope" in call.body):
        raise InvalidInput("give goal_id or scope, one of them")
    return json_answer(lease_to_json(await call.store.claim(**await call.named_goal(call.body))), 201)


@operation(
    "POST /leases/due",
    "Goals whose time has come are woken, and the worker has the leases of goals that nobody drives.",
    schema.list_of(schema.shape("lease")),
    body=schema.strict_object(
        {"scope": schema.SCOPE, "worker": schema.WORKER, "ttl_seconds": schema.TTL, "limit": schema.LIMIT}, ["worker"]
    ),
)
async def _claim_due(call: ApiCall) -> Response:
    return json_answer([lease_to_json(lease) for lease in await call.store.claim_due(**call.body)])


_KEPT_LEASE: Final[Mapping[str, Schema]] = {"goal_id": schema.GOAL_ID, **schema.SHOWN_LEASE}


async def _shown(call: ApiCall) -> Lease:
    return Lease(await call.goal_of(call.body["goal_id"]), call.body["worker"], call.body["token"])


@operation(
    "POST /leases/renew",
    "The lease lasts from now on; a worker that lost it must stop.",
    schema.shape("lease"),
    body=schema.strict_object({**_KEPT_LEASE, "ttl_seconds": schema.TTL}, list(_KEPT_LEASE)),
)
async def _renew_lease(call: ApiCall) -> Response:
    ttl = {name: value for name, value in call.body.items() if name == "ttl_seconds"}
    return json_answer(lease_to_json(await call.store.renew(await _shown(call), **ttl)))


@operation(
    "POST /leases/release",
    "Nobody drives the goal.",
    schema.GOAL,
    body=schema.strict_object(_KEPT_LEASE, list(_KEPT_LEASE)),
)
async def _release_lease(call: ApiCall) -> Response:
    return goal_answer(await call.store.release_lease(await _shown(call)))


OPERATIONS: Final[tuple[ApiOperation, ...]] = (
    _record_turn,
    _list_turns,
    _hold_budget,
    _list_holds,
    _release_hold,
    _get_usage,
    _get_lease,
    _claim_goal,
    _claim_due,
    _renew_lease,
    _release_lease,
)
