"""The parameters that Telic itself would send, so that a loop without Telic does exactly the same work."""

from typing import Any, NoReturn

import telic
from benchmarks.hot import Hot, Target
from telic.storage.transaction import Mode, Operation, Parameters, complete
from telic.store.context import Context


class _Sent(Exception):
    def __init__(self, parameters: Parameters) -> None:
        self.parameters = dict(parameters)


class _Recorder:
    """A driver and a transaction of which nothing is left but what was sent first."""

    def run(self, operation: Operation[Any], mode: Mode, key: str | None) -> Any:  # noqa: ARG002
        return complete(operation(self))

    def read_one(self, statement: str, parameters: Parameters) -> NoReturn:  # noqa: ARG002
        raise _Sent(parameters)

    async def one_or_none(self, statement: str, parameters: Parameters) -> NoReturn:  # noqa: ARG002
        raise _Sent(parameters)

    all = one_or_none

    def inspect(self) -> NoReturn:
        raise NotImplementedError

    def close(self) -> None:
        pass


def recorded(operation: Hot, target: Target) -> dict[str, Any]:
    """The parameters of the first statement that the operation sends."""
    store = telic.GoalStore(_Recorder(), Context())
    try:
        operation(store, target)
    except _Sent as sent:
        return sent.parameters
    raise AssertionError("the operation sent no statement")
