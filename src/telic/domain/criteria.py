"""Criteria: the checkable conditions under which a goal may be called verified."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from telic.domain.errors import EmptyText, InvalidInput
from telic.domain.limits import MAX_NOTE_CHARS, check_text

MAX_CRITERIA: Final = 50


class CriterionKind(StrEnum):
    """Who or what decides whether a criterion passes."""

    COMMAND = "command"
    JUDGE = "judge"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition of success: a command that exits with 0, a question to a judge, or a human's approval.

    `argv` is the command with its arguments, never passed through a shell; `question` is what the judge or
    the human is asked. Make one with `command`, `judge` or `approval`.

    Raises:
        InvalidInput: the kind lacks what it needs, or has what it cannot use.
    """

    kind: CriterionKind
    argv: tuple[str, ...] = ()
    question: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.kind, CriterionKind):
            raise InvalidInput("a criterion's kind must be a CriterionKind")
        is_command = self.kind is CriterionKind.COMMAND
        if is_command != bool(self.argv) or is_command == bool(self.question):
            raise InvalidInput(
                f"a criterion of kind {self.kind} needs {'an argv' if is_command else 'a question'} only"
            )
        for argument in self.argv:
            check_text("a criterion's argument", argument, MAX_NOTE_CHARS)
        check_text("a criterion's question", self.question, MAX_NOTE_CHARS)
        if self.argv and not self.argv[0]:
            raise EmptyText("a criterion's command is empty")

    @classmethod
    def command(cls, argv: Sequence[str]) -> "Criterion":
        """A criterion that passes when the command exits with 0."""
        if isinstance(argv, str):
            raise InvalidInput("a criterion's command is a sequence of arguments, not one text")
        return cls(CriterionKind.COMMAND, argv=tuple(argv))

    @classmethod
    def judge(cls, question: str) -> "Criterion":
        """A criterion that passes when a judging model answers yes, with its reasons."""
        return cls(CriterionKind.JUDGE, question=question)

    @classmethod
    def approval(cls, question: str) -> "Criterion":
        """A criterion that passes when a human approves."""
        return cls(CriterionKind.APPROVAL, question=question)

    def as_dict(self) -> dict[str, Any]:
        """The criterion as JSON keeps it."""
        if self.kind is CriterionKind.COMMAND:
            return {"kind": self.kind.value, "argv": list(self.argv)}
        return {"kind": self.kind.value, "question": self.question}


def check_criteria(criteria: Iterable[Criterion]) -> tuple[Criterion, ...]:
    """The criteria as a tuple of at most 50.

    Raises:
        InvalidInput: there are more, or one is no Criterion.
    """
    checked = tuple(criteria)
    if len(checked) > MAX_CRITERIA:
        raise InvalidInput(f"a goal may have at most {MAX_CRITERIA} criteria")
    if not all(isinstance(criterion, Criterion) for criterion in checked):
        raise InvalidInput("criteria must be Criterion values")
    return checked


def criteria_to_json(criteria: Sequence[Criterion]) -> str:
    """The criteria as the text the store keeps."""
    if not criteria:
        return "[]"
    return json.dumps([criterion.as_dict() for criterion in criteria], separators=(",", ":"))


def criteria_from_data(data: Any) -> tuple[Criterion, ...]:
    """The criteria that `as_dict` gave.

    Raises:
        InvalidInput: the data is anything else.
    """
    try:
        return tuple(
            Criterion(
                CriterionKind(entry["kind"]), argv=tuple(entry.get("argv", ())), question=entry.get("question", "")
            )
            for entry in data
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"unreadable criteria: {error}") from error
