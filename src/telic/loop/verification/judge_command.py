"""A command as judge: it gets the evidence as JSON on standard input, and answers with JSON on standard output."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from telic.domain.budget import ModelUsage
from telic.domain.criteria import Criterion
from telic.domain.errors import InvalidNumber
from telic.domain.verdict import AttemptResult, CheckError
from telic.loop.agents.process import ProcessResult
from telic.loop.verification.commands import CannotRun, folder_of, run, why_no_answer
from telic.loop.verification.evidence import Evidence
from telic.loop.verification.judge import MAX_ANSWER_CHARS, BadAnswer, JudgeReply, read_answer, read_object

_RATE_LIMITED: Final = "rate_limited"
_ERRORS_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class CommandJudge:
    """Asks the command of a criterion, in the criterion's folder of the workspace.

    Beside the parts of every answer it may name its `model` and `usage` (the counts of `ModelUsage`). With
    `{"verdict": "rate_limited", "retry_after_seconds": 30}` it asks to be asked later.
    """

    criterion: Criterion
    workspace: Path
    environment: Mapping[str, str] | None = None

    async def ask(self, evidence: Evidence, timeout_seconds: float) -> JudgeReply:
        """The command has ended, and nothing that it started is left."""
        try:
            folder = await asyncio.to_thread(folder_of, self.criterion, self.workspace)
            result = await run(
                self.criterion,
                folder,
                stdin=json.dumps(evidence.as_dict()).encode(),
                environment=self.environment,
                timeout_seconds=timeout_seconds,
                tail_bytes=MAX_ANSWER_CHARS,
            )
        except CannotRun as failure:
            return JudgeReply(result=AttemptResult.REFUSED, detail=str(failure))
        return self._reply(result)

    def _reply(self, result: ProcessResult) -> JudgeReply:
        error, detail = why_no_answer(self.criterion, result)
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
    model, usage = data.pop("model", None), _usage(data.pop("usage", None))
    if model is not None and not isinstance(model, str):
        raise BadAnswer("the model is a name")
    if data.get("verdict") == _RATE_LIMITED:
        seconds = _retry_after(data)
        return JudgeReply(result=AttemptResult.RATE_LIMITED, model=model, usage=usage, retry_after_seconds=seconds)
    return JudgeReply.of(read_answer(data), model=model, usage=usage)


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
