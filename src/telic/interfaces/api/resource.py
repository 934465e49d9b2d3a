"""One path of the API: its methods, from the bytes of a request to those of the answer."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from telic.domain.errors import GoalError
from telic.interfaces.api import reading
from telic.interfaces.api.operation import Call, Operation, Streams
from telic.interfaces.api.problems import Refusal, problem_answer
from telic.store.async_store import AsyncGoalStore

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Api:
    """What all paths have in common."""

    store: AsyncGoalStore
    allow_write: bool
    document: Mapping[str, Any]
    streams: Streams


class Resource:
    """Answers the methods of one path; every refusal and failure is a problem document."""

    def __init__(self, api: Api, operations: Sequence[Operation]) -> None:
        self._api = api
        self._operations = {operation.method: operation for operation in operations}
        get = self._operations.get("GET")
        if get is not None and not get.is_stream:
            self._operations["HEAD"] = get
        self.methods = frozenset(self._operations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request is answered."""
        answer = await self._answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> ASGIApp:
        try:
            operation = self._operation(request.method)
            call = await self._call(operation, request)
        except Refusal as refusal:
            return problem_answer(refusal)
        try:
            return await operation.handle(call)
        except (Refusal, GoalError) as error:
            return problem_answer(error)
        except Exception as error:
            _log.exception("%s failed", operation.name)
            return problem_answer(error)

    def _operation(self, method: str) -> Operation:
        operation = self._operations.get(method)
        if operation is None:
            allowed = ", ".join(sorted(self.methods))
            raise Refusal("method_not_allowed", f"this path takes {allowed}", {"Allow": allowed})
        if operation.is_write and not self._api.allow_write:
            raise Refusal("read_only", "this server only reads; start it with --allow-write")
        return operation

    async def _call(self, operation: Operation, request: Request) -> Call:
        return Call(
            store=self._api.store,
            document=self._api.document,
            streams=self._api.streams,
            actor_name=str(getattr(request.state, "actor_name", None) or "operator"),
            root=request.scope.get("root_path", ""),
            path=reading.read_path(request),
            query=reading.read_query(operation, request),
            key=reading.read_key(operation, request),
            expected_revision=reading.read_revision(operation, request),
            known_tags=reading.read_known_tags(request),
            last_event_id=request.headers.get("Last-Event-ID") if operation.is_stream else None,
            body=await reading.read_body(operation, request),
        )


class Nowhere:
    """Answers what has no path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request is refused."""
        answer = problem_answer(Refusal("not_found", "there is no such path; openapi.json has them all"))
        await answer(scope, receive, send)
