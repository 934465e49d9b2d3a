"""The root of every error."""

from typing import ClassVar


class GoalError(Exception):
    """The root of every error Telic raises. `code` is stable across releases; messages are not."""

    code: ClassVar[str] = "goal_error"
    retryable: ClassVar[bool] = False

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[GoalError], arguments: tuple[object, ...], state: dict[str, object]) -> GoalError:
    """The error as it was pickled; its own arguments are not those of its message."""
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(state)
    return error
