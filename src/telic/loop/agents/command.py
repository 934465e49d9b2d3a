"""The agent that is a command: any program that takes a prompt and prints the result of its turn."""

import errno
import os
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn

from telic.domain.budget import ModelUsage
from telic.domain.clock import Clock, Instant
from telic.domain.errors import (
    AgentConversationLost,
    AgentCostUnknown,
    AgentExited,
    AgentFailure,
    AgentNotRunnable,
    AgentOutputBroken,
    AgentPromptTooLarge,
    AgentSaidNothing,
    AgentTimedOut,
    AgentTurnFailed,
    InvalidInput,
)
from telic.loop.agents.formats import OutputFormat, Parsed
from telic.loop.agents.json_lines import PLAIN
from telic.loop.agents.output_follower import OutputFollower
from telic.loop.agents.process import DEFAULT_GRACE_SECONDS, ProcessResult, run_process
from telic.loop.agents.protocol import MAX_REPORT_TEXT_CHARS, MAX_SESSION_CHARS, TurnReport, TurnRequest, storable_tail
from telic.loop.agents.provider_errors import ends_with_outage, is_lost_conversation, quota_of, tells_of_outage

_PROMPT: Final = "{prompt}"
_SESSION: Final = "{session}"
_NEW_SESSION: Final = "{new_session}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAgent:
    """Runs a command for each turn, in the request's workspace, without a shell.

    The prompt comes on standard input, or in place of `{prompt}` in a word of `argv`. `resume_argv`, where there is
    one, continues a conversation; `{session}` in it becomes the conversation's id, and `{new_session}` in `argv` an
    id for the one that begins. The command finds `TELIC_GOAL_ID`, `TELIC_TURN_NUMBER`, `TELIC_TURN_KEY` and
    `TELIC_SESSION` in its environment, besides this process's own and `environment`. `on_line` is called with each line
    of output as it comes. A host's own records of usage are read every `records_seconds`. Times in its output are
    understood by `clock`, or by the request's where none is given. Where the goal has a budget of money, and a line has
    usage without its cost and without a model whose price is known, the turn is cut off and fails, unless
    `allow_unknown_cost`; a format that tells its cost at the end only is judged there.

    When the turn ends, however it ends, no process of the command's group is left: they have `grace_seconds` to
    stop when asked to, and are then killed.
    """

    argv: tuple[str, ...]
    resume_argv: tuple[str, ...] | None = None
    output_format: OutputFormat = PLAIN
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    on_line: Callable[[str], None] | None = None
    grace_seconds: float = DEFAULT_GRACE_SECONDS
    records_seconds: float = 1.0
    clock: Clock | None = None
    allow_unknown_cost: bool = False

    async def turn(self, request: TurnRequest) -> TurnReport:
        """The command has ended; the report is read from its output.

        Raises:
            AgentFailure: it came to nothing; the error has the end of the output, and the usage as far as it is known.
        """
        begun = self._new_session(request)
        environment = os.environ | dict(self.environment) | _turn_environment(request)
        records = self.output_format.records
        listening = OutputFollower(
            request,
            self.output_format.parser(request.session or begun),
            None if records is None else records(environment, request.session),
            self.on_line,
            self.records_seconds,
            prints_before_it_asks=self.output_format.prints_before_it_asks,
            ends_unpriced=not self.allow_unknown_cost and not self.output_format.tells_cost_at_end,
        )
        async with listening.following():
            result = await self._run(request, self._argv(request, begun), environment, listening.take_chunk)
        now = (self.clock or request.clock).now()
        said = _words(result)
        parsed = self._with_errors(_with_time(await listening.parsed(now), result), result, said, now)
        if listening.unknown_cost or self._was_cut_short(result):
            parsed = replace(parsed, is_estimate=True)
        if self.output_format.is_host or parsed.failure is not None:
            _check_conversation(result, parsed, said)
        if _is_silent(request, result, parsed, self.output_format):
            return _report(replace(parsed, makes_claims=False), result)
        _check(request, result, parsed, said, listening.dropped_lines)
        if listening.unknown_cost and not self.allow_unknown_cost and parsed.quota is None:
            _fail(AgentCostUnknown, listening.unknown_cost, result, parsed)
        return _report(parsed, result)

    def _was_cut_short(self, result: ProcessResult) -> bool:
        # It may have used more than it reported; a host's format knows by itself.
        return not self.output_format.is_host and (result.timed_out or (result.exit_code or 0) < 0)

    def _with_errors(self, parsed: Parsed, result: ProcessResult, words: str, now: Instant) -> Parsed:
        """Return the same with a host's last words, where these are a limit or a refusal and no result named it."""
        if not self.output_format.is_host or parsed.finished or parsed.quota is not None or not result.exit_code:
            return parsed
        said = parsed.failure or last_words(words)
        return replace(parsed, quota=quota_of(said, now)).unless_refused(said)

    async def _run(
        self, request: TurnRequest, argv: list[str], environment: Mapping[str, str], on_chunk: Callable[[bytes], None]
    ) -> ProcessResult:
        in_argument = any(_PROMPT in word for word in self._template(request))
        try:
            return await run_process(
                argv,
                cwd=request.workspace,
                timeout_seconds=request.timeout_seconds,
                stdin=None if in_argument else request.prompt.encode(),
                environment=environment,
                on_chunk=on_chunk,
                grace_seconds=self.grace_seconds,
            )
        except OSError as error:
            _raise_not_started(request, argv[0], error, in_argument)

    def _new_session(self, request: TurnRequest) -> str | None:
        is_asked = any(_NEW_SESSION in word for word in self._template(request))
        return str(uuid.uuid4()) if is_asked else None

    def _template(self, request: TurnRequest) -> tuple[str, ...]:
        return self.resume_argv if self.resume_argv is not None and self._session_id(request) else self.argv

    def _session_id(self, request: TurnRequest) -> str:
        return "" if request.session is None else self.output_format.session_id(request.session)

    def _argv(self, request: TurnRequest, begun: str | None) -> list[str]:
        session = self._session_id(request)
        # In one pass over the template: a prompt that mentions {session} stays as it is.
        parts = [word.split(_PROMPT) for word in self._template(request)]
        filled = [
            [part.replace(_SESSION, session).replace(_NEW_SESSION, begun or "") for part in word] for word in parts
        ]
        return [request.prompt.join(word) for word in filled]


def _turn_environment(request: TurnRequest) -> dict[str, str]:
    return {
        "TELIC_GOAL_ID": request.goal.id,
        "TELIC_TURN_NUMBER": str(request.turn_number),
        "TELIC_TURN_KEY": request.turn_key,
        "TELIC_SESSION": request.session or "",
    }


def _raise_not_started(request: TurnRequest, command: str, error: OSError, in_argument: bool) -> NoReturn:
    if error.errno == errno.E2BIG and in_argument:
        raise AgentPromptTooLarge(
            f"the prompt of {len(request.prompt.encode())} bytes is larger than the system lets an argument be; "
            "leave {prompt} out of the command, and the prompt comes on standard input",
            session=request.session,
        ) from error
    reason = error.strerror or str(error)
    raise AgentNotRunnable(
        f"{command!a} cannot be run in {str(request.workspace)!a}: {reason}", session=request.session
    ) from error


def _with_time(parsed: Parsed, result: ProcessResult) -> Parsed:
    """Return the same with the turn's time; the usage in broken output is not believed."""
    usage = parsed.usage if parsed.broken is None else None
    if usage is not None and usage.active_microseconds == 0:
        usage = replace(usage, active_microseconds=result.elapsed_microseconds)
    return replace(parsed, usage=usage)


def _check_conversation(result: ProcessResult, parsed: Parsed, words: str) -> None:
    """Raise AgentConversationLost if the agent's failure, or its last words, say that a new one is needed."""
    said = parsed.failure or (last_words(words) if result.exit_code and not parsed.finished else "")
    if parsed.quota is None and is_lost_conversation(said):
        message = f"the conversation cannot be continued: {storable_tail(said, MAX_REPORT_TEXT_CHARS)}"
        _fail(AgentConversationLost, message, result, parsed)


def _is_silent(request: TurnRequest, result: ProcessResult, parsed: Parsed, output_format: OutputFormat) -> bool:
    # An agent that writes a log elsewhere works without a word: then the goal's criteria decide.
    ended_well = result.exit_code == 0 and result.output_bytes == 0 and parsed.failure is None
    return ended_well and not output_format.is_host and bool(request.goal.criteria)


def _check(request: TurnRequest, result: ProcessResult, parsed: Parsed, words: str, dropped_lines: int) -> None:
    """Raise an AgentFailure where the output is no report. A quota is no failure, however the command ended."""
    if parsed.quota is not None:
        return
    if result.timed_out:
        _fail(AgentTimedOut, f"the agent took longer than {request.timeout_seconds:g} seconds", result, parsed)
    if parsed.failure is not None:
        is_outage = tells_of_outage(parsed.failure)
        said = f"the agent says: {storable_tail(parsed.failure, MAX_REPORT_TEXT_CHARS)}"
        _fail(AgentTurnFailed, said, result, parsed, is_outage=is_outage)
    if result.exit_code != 0 and not parsed.boundary:
        is_outage = ends_with_outage(_text(result.errors_tail) or words)
        _fail(AgentExited, _ended(result.exit_code or 0, words), result, parsed, is_outage=is_outage)
    if result.output_bytes == 0:
        _fail(AgentSaidNothing, "the agent printed nothing", result, parsed)
    if parsed.broken is not None:
        _fail(AgentOutputBroken, f"the agent's output is broken: {parsed.broken}", result, parsed)
    if not parsed.finished:
        lost = f"; {dropped_lines} lines were too long to be read" if dropped_lines else ""
        _fail(AgentOutputBroken, f"the agent's output ends without a result{lost}", result, parsed)


def _ended(exit_code: int, words: str) -> str:
    how = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
    said = last_words(words)
    return f"the agent's command {how}" + (f": {said}" if said else "")


def _fail(
    kind: type[AgentFailure], message: str, result: ProcessResult, parsed: Parsed, *, is_outage: bool = False
) -> NoReturn:
    usage = parsed.usage
    if is_outage and usage is None and not (parsed.text or parsed.tool_effects or parsed.tool_output_tail):
        # It never got an answer, so it consumed nothing.
        usage = ModelUsage()
    raise kind(
        message,
        output_tail=_ends(result.output_tail, result.errors_tail),
        usage=usage,
        session=parsed.session,
        usage_is_estimate=parsed.is_estimate,
        is_outage=is_outage,
    )


def _words(result: ProcessResult) -> str:
    """Return what a command said about its end, errors last.

    A message of a format is no error unless the format says so. One that was killed said nothing of it in its output.
    """
    is_whole = len(result.output_tail) == result.output_bytes
    lines = [] if (result.exit_code or 0) < 0 else result.output_tail.splitlines()[not is_whole :]
    own = [line for line in lines if not line.lstrip().startswith((b"{", b"["))]
    return _ends(b"\n".join(own), result.errors_tail)


def _text(stream: bytes) -> str:
    return storable_tail(stream.decode(errors="replace"), MAX_REPORT_TEXT_CHARS // 2)


def _ends(*streams: bytes) -> str:
    """Return the end of both streams, errors last: there commands say what went wrong."""
    return "\n".join(_text(stream) for stream in streams if stream)


def _report(parsed: Parsed, result: ProcessResult) -> TurnReport:
    too_long = parsed.session is not None and len(parsed.session) > MAX_SESSION_CHARS
    try:
        return TurnReport(
            text=parsed.text,
            usage=parsed.usage,
            model=parsed.model,
            claim=parsed.statement.claim,
            note=parsed.statement.note,
            session=None if too_long else parsed.session,
            tool_effects=parsed.tool_effects,
            tool_output_tail=parsed.tool_output_tail,
            quota=parsed.quota,
            wake=parsed.statement.wake,
            usage_is_estimate=parsed.is_estimate and parsed.usage is not None,
            makes_claims=parsed.makes_claims,
            cost_is_known=parsed.usage is not None,
        )
    except InvalidInput as error:
        _fail(AgentOutputBroken, f"the agent's output is broken: {error}", result, parsed)


_SHOWN_CHARS: Final = 500
_BACKTRACE: Final = re.compile(r"^\s*stack backtrace:", re.IGNORECASE | re.MULTILINE)
_ERROR: Final = re.compile(r"^(?:\S* )?(?:fatal |internal )?error\b[^\n]*:", re.IGNORECASE | re.MULTILINE)


def last_words(output_tail: str) -> str:
    """Return the last error and the lines after it, without a list of calls; else the last line."""
    backtraces = [match.start() for match in _BACKTRACE.finditer(output_tail)]
    text = output_tail[: backtraces[-1]].rstrip() if backtraces else output_tail.rstrip()
    errors = [match.start() for match in _ERROR.finditer(text)]
    last_line = text.rpartition("\n")[2]
    if errors and len(text) - errors[-1] <= _SHOWN_CHARS:
        return "\n".join(line for line in text[errors[-1] :].splitlines() if line.strip())
    return last_line[-_SHOWN_CHARS:]
