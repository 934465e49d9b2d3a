"""Commands as checks, and as judges: run in the workspace until nothing that they started is left."""

import asyncio
import errno
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from telic.domain.budget import ModelUsage
from telic.domain.criteria import Criterion
from telic.domain.errors import InvalidNumber
from telic.domain.verdict import MAX_OUTPUT_TAIL_CHARS, AttemptResult, CheckError, Outcome, Verdict
from telic.loop.agents.process import ProcessResult, run_process
from telic.loop.agents.protocol import storable_tail
from telic.loop.verification.evidence import (
    MAX_ANSWER_CHARS,
    BadAnswer,
    Evidence,
    kept_statement,
    read_answer,
    read_object,
)
from telic.loop.verification.judge import JudgeReply

DEFAULT_TIMEOUT_SECONDS: Final = 600
SHELL: Final = "/bin/sh"

_MAX_BYTES_OF_A_CHARACTER: Final = 4
_NOT_EXECUTABLE_EXIT, _NOT_FOUND_EXIT = 126, 127
_SIGNAL_EXITS: Final = range(129, 129 + 64)


class CannotRun(Exception):
    """A command could not be run to an end of its own; `error` says why."""

    def __init__(self, error: CheckError, detail: str) -> None:
        super().__init__(detail)
        self.error = error


async def check_command(
    criterion: Criterion,
    *,
    index: int,
    revision: int,
    workspace: Path,
    environment: Mapping[str, str] | None = None,
) -> Verdict:
    """The command has run in its folder, and nothing that it started is left.

    It passes with exit code 0 and fails with another. It is an error and no failure if it could not run, took longer
    than its time-out (600 seconds where it names none), was killed, or exited with 126 or 127: these say that nothing
    was found to run. `environment` is the whole of it, or None for this process's own.
    """
    verdict = partial(Verdict, index=index, revision=revision, criterion_hash=criterion.content_hash)
    try:
        result = await _run(criterion, workspace, environment)
    except CannotRun as failure:
        return verdict(outcome=Outcome.ERROR, error=failure.error, detail=kept_statement(str(failure)))
    error, detail = _why_no_answer(criterion, result)
    return verdict(
        outcome=Outcome.ERROR if error else Outcome.FAILED if result.exit_code else Outcome.PASSED,
        error=error,
        detail=detail,
        exit_code=None if result.exit_code is None or result.exit_code < 0 else result.exit_code,
        output_tail=storable_tail(result.output_tail.decode(errors="replace"), MAX_OUTPUT_TAIL_CHARS),
        output_sha256=result.output_sha256,
        duration_microseconds=result.elapsed_microseconds,
    )


def _folder_of(criterion: Criterion, workspace: Path) -> Path:
    """Return the criterion's folder, inside the workspace and without links in its path, or raise CannotRun."""
    try:
        root = workspace.resolve(strict=True)
        folder = (root / (criterion.folder or ".")).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise CannotRun(CheckError.FOLDER_MISSING, f"the folder is not there: {error}") from error
    if not folder.is_relative_to(root):
        raise CannotRun(CheckError.FOLDER_OUTSIDE, f"the folder {criterion.folder!a} leads out of the workspace")
    if not folder.is_dir():
        raise CannotRun(CheckError.FOLDER_MISSING, f"{criterion.folder!a} is no folder")
    return folder


async def _run(
    criterion: Criterion,
    workspace: Path,
    environment: Mapping[str, str] | None,
    *,
    stdin: bytes | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    tail_bytes: int = MAX_OUTPUT_TAIL_CHARS * _MAX_BYTES_OF_A_CHARACTER,
) -> ProcessResult:
    """Run the criterion's command to its end, or raise CannotRun."""
    folder = await asyncio.to_thread(_folder_of, criterion, workspace)
    argv: Sequence[str] = (SHELL, "-c", *criterion.argv) if criterion.shell else criterion.argv
    try:
        return await run_process(
            argv,
            cwd=folder,
            timeout_seconds=criterion.timeout_seconds or timeout_seconds,
            stdin=stdin,
            environment=environment,
            # A judge answers on standard output alone; of a check everything is evidence.
            merge_errors=stdin is None,
            tail_bytes=tail_bytes,
        )
    except OSError as error:
        raise _not_started(error, folder) from error


def _why_no_answer(criterion: Criterion, result: ProcessResult) -> tuple[CheckError | None, str]:
    """Return why the run says nothing about the criterion, or None where it does; and how it ended, in words."""
    code = result.exit_code
    if result.timed_out or code is None:
        return CheckError.TIMED_OUT, f"it was stopped after {result.elapsed_microseconds / 1e6:.1f} seconds"
    if code < 0:
        return CheckError.KILLED, f"it was killed by {_signal_name(-code)}"
    # A shell turns the signal that killed its command into an exit code.
    if criterion.shell and code in _SIGNAL_EXITS:
        return CheckError.KILLED, f"the shell says that {_signal_name(code - 128)} killed it"
    if code == _NOT_FOUND_EXIT:
        return CheckError.NOT_FOUND, "exit code 127: a command was not found"
    if code == _NOT_EXECUTABLE_EXIT:
        return CheckError.NOT_EXECUTABLE, "exit code 126: a command could not be executed"
    return None, f"exit code {code}"


def _not_started(error: OSError, folder: Path) -> CannotRun:
    if not folder.is_dir():
        return CannotRun(CheckError.FOLDER_MISSING, "the folder is gone")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return CannotRun(CheckError.NOT_FOUND, f"the command was not found: {error}")
    if isinstance(error, PermissionError) or error.errno == errno.ENOEXEC:
        return CannotRun(CheckError.NOT_EXECUTABLE, f"the command cannot be executed: {error}")
    return CannotRun(CheckError.NOT_STARTED, f"the command could not be started: {error}")


def _signal_name(number: int) -> str:
    known = {each.value: each.name for each in signal.Signals}
    return known.get(number, f"signal {number}")


_RATE_LIMITED: Final = "rate_limited"
_ERRORS_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class CommandJudge:
    """Asks the command of a criterion, in the criterion's folder of the workspace.

    Beside the parts of every answer it may name its `model` and `usage` (the counts of `ModelUsage`); usage without
    `cost_microunits` is priced by the model where the goal has a budget of money. With
    `{"verdict": "rate_limited", "retry_after_seconds": 30}` it asks to be asked later.
    """

    criterion: Criterion
    workspace: Path
    environment: Mapping[str, str] | None = None

    async def ask(self, evidence: Evidence, timeout_seconds: float) -> JudgeReply:
        """The command has ended, and nothing that it started is left."""
        try:
            result = await _run(
                self.criterion,
                self.workspace,
                self.environment,
                stdin=json.dumps(evidence.as_dict()).encode(),
                timeout_seconds=timeout_seconds,
                tail_bytes=MAX_ANSWER_CHARS,
            )
        except CannotRun as failure:
            return JudgeReply(result=AttemptResult.REFUSED, detail=str(failure))
        return self._reply(result)

    def _reply(self, result: ProcessResult) -> JudgeReply:
        error, detail = _why_no_answer(self.criterion, result)
        if error is CheckError.TIMED_OUT:
            return JudgeReply(result=AttemptResult.TIMED_OUT, detail=detail)
        if error in (CheckError.NOT_FOUND, CheckError.NOT_EXECUTABLE):
            return JudgeReply(result=AttemptResult.REFUSED, detail=detail)
        if error is not None or result.exit_code:
            said = result.errors_tail.decode(errors="replace")[-_ERRORS_CHARS:]
            return JudgeReply(result=AttemptResult.OUTAGE, detail=f"{detail}; {said}".rstrip("; \n"))
        try:
            return _read(result)
        except BadAnswer as failure:
            return JudgeReply(result=AttemptResult.BAD_OUTPUT, detail=str(failure))


def _read(result: ProcessResult) -> JudgeReply:
    if result.output_bytes > MAX_ANSWER_CHARS:
        raise BadAnswer(f"the answer has more than {MAX_ANSWER_CHARS} bytes")
    data = read_object(result.output_tail.decode(errors="replace"))
    model, counts = data.pop("model", None), data.pop("usage", None)
    if model is not None and not isinstance(model, str):
        raise BadAnswer("the model is a name")
    usage = _usage(counts)
    if data.get("verdict") == _RATE_LIMITED:
        reply = JudgeReply(result=AttemptResult.RATE_LIMITED, retry_after_seconds=_retry_after(data))
    else:
        reply = JudgeReply.of(read_answer(data))
    return replace(reply, model=model, usage=usage, cost_is_known=usage is not None and "cost_microunits" in counts)


def _retry_after(data: Mapping[str, Any]) -> float | None:
    seconds = data.get("retry_after_seconds")
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0):
        raise BadAnswer("retry_after_seconds is a number of seconds")
    return seconds


def _usage(data: Any) -> ModelUsage | None:
    try:
        return None if data is None else ModelUsage(**data)
    except (TypeError, InvalidNumber) as error:
        raise BadAnswer(f"the usage is unreadable: {error!s:.200}") from error
