"""Driving a goal alone."""

from typing import Any, Final

from starlette.responses import Response

from telic.domain.errors import InvalidInput
from telic.domain.jsonable import lease_state_to_json, lease_to_json
from telic.domain.lease import Lease
from telic.interfaces.api.answers import goal_answer, json_answer
from telic.interfaces.api.operation import ApiCall, ApiOperation
from telic.interfaces.api.schema import GOAL_ID, HOLDER, LIMIT, SCOPE, TTL, Schema, integer, strict_object
from telic.interfaces.api.shapes import list_of, shape

_TOKEN: Final = integer(description="The token that the claim gave.")
_SHOWN: Final = {"goal_id": GOAL_ID, "holder": HOLDER, "token": _TOKEN}


async def _claim(call: ApiCall) -> Response:
    wanted: dict[str, Any] = dict(call.body)
    if ("goal_id" in wanted) is ("scope" in wanted):
        raise InvalidInput("give goal_id or scope, one of them")
    if "goal_id" in wanted:
        wanted["goal_id"] = (await call.goal_of(wanted["goal_id"])).id
    return json_answer(lease_to_json(await call.store.claim(**wanted)), 201)


async def _claim_due(call: ApiCall) -> Response:
    return json_answer([lease_to_json(lease) for lease in await call.store.claim_due(**call.body)])


async def _shown(call: ApiCall) -> Lease:
    return Lease(await call.goal_of(call.body["goal_id"]), call.body["holder"], call.body["token"])


async def _renew(call: ApiCall) -> Response:
    ttl = {name: value for name, value in call.body.items() if name == "ttl_seconds"}
    return json_answer(lease_to_json(await call.store.renew(await _shown(call), **ttl)))


async def _release(call: ApiCall) -> Response:
    return goal_answer(await call.store.release_lease(await _shown(call)))


async def _state(call: ApiCall) -> Response:
    goal = await call.goal()
    return json_answer(lease_state_to_json(await call.store.lease(goal.id)))


def _write(name: str, path: str, summary: str, handle: Any, answer: Schema, body: Schema, **more: Any) -> ApiOperation:
    return ApiOperation(
        name=name,
        method="POST",
        path=path,
        summary=summary,
        handle=handle,
        answer=answer,
        body=body,
        is_write=True,
        **more,
    )


OPERATIONS: Final[tuple[ApiOperation, ...]] = (
    ApiOperation(
        name="get_lease",
        method="GET",
        path="/goals/{goal_id}/lease",
        summary="Who may drive the goal now.",
        handle=_state,
        answer=shape("lease_state"),
    ),
    _write(
        "claim_goal",
        "/leases",
        "The holder alone may drive the active goal, named by its id or its scope.",
        _claim,
        shape("lease"),
        strict_object({"goal_id": GOAL_ID, "scope": SCOPE, "holder": HOLDER, "ttl_seconds": TTL}, ["holder"]),
        status=201,
    ),
    _write(
        "claim_due",
        "/leases/due",
        "What is due is awake, and goals that nobody drives are the holder's.",
        _claim_due,
        list_of(shape("lease")),
        strict_object({"scope": SCOPE, "holder": HOLDER, "ttl_seconds": TTL, "limit": LIMIT}, ["holder"]),
    ),
    _write(
        "renew_lease",
        "/leases/renew",
        "The lease lasts from now on; a worker that lost it must stop.",
        _renew,
        shape("lease"),
        strict_object({**_SHOWN, "ttl_seconds": TTL}, list(_SHOWN)),
    ),
    _write(
        "release_lease",
        "/leases/release",
        "Nobody drives the goal.",
        _release,
        shape("goal"),
        strict_object(_SHOWN, list(_SHOWN)),
        is_tagged=True,
    ),
)
