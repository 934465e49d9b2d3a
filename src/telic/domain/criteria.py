"""Criteria: the checkable conditions under which a goal may be called verified."""

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Final

from telic.domain.base_errors import EmptyText, InvalidInput, InvalidNumber
from telic.domain.ids import (
    digest,
    to_data,
)
from telic.domain.limits import MAX_NOTE_CHARS, check_counter, check_text

MAX_CRITERIA: Final = 50
MAX_TIMEOUT_SECONDS: Final = 86_400


class CriterionKind(StrEnum):
    """The judge of a criterion: a command, a model or a person."""

    COMMAND = "command"
    JUDGE = "judge"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition of success: a command that exits with 0, a question to a judge, or a human's approval.

    `argv` is the command with its arguments; a judge with an `argv` is a command too, which is given the evidence
    and answers. With `shell`, `argv` is one line for `/bin/sh`; without, no shell sees it. `folder` is where the
    command runs, relative to the workspace, and `timeout_seconds` how long the command or the judge may take at
    most. `question` is what the judge or the human is asked. Make one with `command`, `judge` or `approval`.

    Raises:
        InvalidInput: the kind lacks what it needs, or has what it cannot use; the folder leads out of the workspace.
        InvalidNumber: the time-out is not from 1 to 86,400 seconds.
    """

    kind: CriterionKind
    argv: tuple[str, ...] = ()
    question: str = ""
    folder: str | None = None
    timeout_seconds: int | None = None
    shell: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.kind, CriterionKind):
            raise InvalidInput("a criterion's kind must be a CriterionKind")
        self._check_parts()
        for argument in self.argv:
            check_text("a criterion's argument", argument, MAX_NOTE_CHARS)
        check_text("a criterion's question", self.question, MAX_NOTE_CHARS)
        if self.argv and not self.argv[0].strip():
            raise EmptyText("a criterion's command is empty")
        if self.folder is not None:
            _check_folder(self.folder)
        if self.timeout_seconds is not None:
            _check_timeout(self.timeout_seconds)

    def _check_parts(self) -> None:
        is_command, may_run = self.kind is CriterionKind.COMMAND, self.kind is not CriterionKind.APPROVAL
        if is_command == bool(self.question) or (is_command and not self.argv) or (self.argv and not may_run):
            raise InvalidInput(
                f"a criterion of kind {self.kind} needs {'an argv' if is_command else 'a question'} only"
            )
        if type(self.shell) is not bool or (self.shell and len(self.argv) != 1):
            raise InvalidInput("shell is True or False, and with it the command is one line")
        if self.folder is not None and not self.argv:
            raise InvalidInput("a criterion without a command runs in no folder")
        if self.timeout_seconds is not None and not may_run:
            raise InvalidInput("an approval has no time-out")

    @classmethod
    def command(
        cls,
        argv: Sequence[str],
        *,
        folder: str | None = None,
        timeout_seconds: int | None = None,
        shell: bool = False,
    ) -> "Criterion":
        """A criterion that passes when the command exits with 0."""
        if isinstance(argv, str):
            raise InvalidInput("a criterion's command is a sequence of arguments, not one text")
        argv = tuple(argv)
        return cls(CriterionKind.COMMAND, argv=argv, folder=folder, timeout_seconds=timeout_seconds, shell=shell)

    @classmethod
    def judge(
        cls,
        question: str,
        *,
        argv: Sequence[str] = (),
        folder: str | None = None,
        timeout_seconds: int | None = None,
        shell: bool = False,
    ) -> "Criterion":
        """A criterion that passes when the judge, a model or the command `argv`, answers yes with its reasons."""
        if isinstance(argv, str):
            raise InvalidInput("a judge's command is a sequence of arguments, not one text")
        return cls(CriterionKind.JUDGE, tuple(argv), question, folder, timeout_seconds, shell)

    @classmethod
    def approval(cls, question: str) -> "Criterion":
        """A criterion that passes when a human approves."""
        return cls(CriterionKind.APPROVAL, question=question)

    @property
    def title(self) -> str:
        """The command and the question on one line; a command for a shell says so."""
        command = f"/bin/sh -c {shlex.quote(self.argv[0])}" if self.shell else shlex.join(self.argv)
        place = f" (in {self.folder})" if self.folder else ""
        return ": ".join(part for part in (command + place, self.question) if part)

    @property
    def content_hash(self) -> str:
        """The SHA-256 of what the criterion says, in hexadecimal: equal for equal criteria, in every process."""
        return digest(to_data(self.as_dict()))

    def as_dict(self) -> dict[str, Any]:
        """The criterion as JSON keeps it: what has its default is left out."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)[1:]}
        kept["argv"] = list(self.argv)
        return {"kind": self.kind.value} | {name: value for name, value in kept.items() if value}


def _check_folder(folder: str) -> None:
    path = PurePosixPath(check_text("a criterion's folder", folder, MAX_NOTE_CHARS))
    if not folder or path.is_absolute() or ".." in path.parts:
        raise InvalidInput("a criterion's folder is a path inside the workspace")


def _check_timeout(timeout_seconds: int) -> None:
    if not 1 <= check_counter("timeout_seconds", timeout_seconds) <= MAX_TIMEOUT_SECONDS:
        raise InvalidNumber(f"timeout_seconds must be from 1 to {MAX_TIMEOUT_SECONDS}")


def check_criteria(criteria: Iterable[Criterion]) -> tuple[Criterion, ...]:
    """Return the criteria as a tuple; raise InvalidInput if they are more than 50, or one is no Criterion."""
    checked = tuple(criteria)
    if len(checked) > MAX_CRITERIA:
        raise InvalidInput(f"a goal may have at most {MAX_CRITERIA} criteria")
    if not all(isinstance(criterion, Criterion) for criterion in checked):
        raise InvalidInput("criteria must be Criterion values")
    return checked


def typed_criteria(
    checks: Iterable[str] = (), judges: Iterable[str] = (), approvals: Iterable[str] = ()
) -> list[Criterion]:
    """Return the criteria that were typed, commands first, for no shell; raise InvalidInput if one is unreadable."""
    commands = [Criterion.command(command_words(check, "a check")) for check in checks]
    return commands + [Criterion.judge(text) for text in judges] + [Criterion.approval(text) for text in approvals]


def command_words(text: str, name: str) -> list[str]:
    """Return a typed command's words; raise InvalidInput for an open quotation, or a shell's operator as a word."""
    try:
        words = shlex.split(text)
        # Escaped characters are no operators, so they are hidden from the second reading, which looks for these only.
        lexer = shlex.shlex(_ESCAPED.sub("_", text), posix=False, punctuation_chars="&|;<>")
        lexer.whitespace_split = True
        operators = [word for word in lexer if not set(word) - set("&|;<>")]
    except ValueError as error:
        raise InvalidInput(f"{name} cannot be read as a command: {error}") from error
    if operators:
        raise InvalidInput(
            f"no shell runs {name}, so {operators[0]} would be a word for the program: put all of it behind"
            " sh -c in quotes, or quote it"
        )
    return words


_ESCAPED: Final = re.compile(r"\\.")


def criteria_to_json(criteria: Sequence[Criterion]) -> str:
    """Return the criteria as the text that the store keeps."""
    if not criteria:
        return "[]"
    return json.dumps([criterion.as_dict() for criterion in criteria], separators=(",", ":"))


def criteria_from_data(data: Any) -> tuple[Criterion, ...]:
    """Return the criteria that `as_dict` gave; raise InvalidInput if the data is or says anything else."""
    try:
        return tuple(_criterion_from_data(entry) for entry in data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"unreadable criteria: {error}") from error


def _criterion_from_data(entry: Any) -> Criterion:
    known = {"kind": CriterionKind(entry["kind"])}
    if isinstance(entry.get("argv", ()), str):
        raise InvalidInput("an argv is a list")
    return Criterion(**entry | known | {"argv": tuple(entry.get("argv", ()))})
