"""A model of the OpenAI Agents SDK that shows the goal with each request and bills each response."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from agents import (
    Agent,
    Model,
    ModelResponse,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
)
from agents.items import TResponseInputItem
from agents.models import get_default_model_settings
from agents.models.fake_id import FAKE_RESPONSES_ID

from telic.domain.budget import ModelUsage
from telic.integrations.model_calls import ModelCall, is_worth_a_retry, retry_delay_seconds
from telic.integrations.session import GoalSession
from telic.loop.agents.json_reader import model_usage
from telic.prompt import place_after_prefix

_KEPT: Final = ("previous_response_id", "conversation_id")
"""With one of these options the provider stores the input of a request."""

_HTTP_MODELS: Final = (OpenAIChatCompletionsModel, OpenAIResponsesModel)
"""Models whose client retries by itself, and can be set not to."""

_ENDED: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


@dataclass(slots=True)
class Run:
    """The run that a task of the SDK works for; a run within its tools is a sub-agent's."""

    task: "asyncio.Task[Any] | None"
    agent: Agent[Any]
    is_sub_agent: bool = False
    calls_tools: bool = False
    session: GoalSession | None = None

    def is_at_tools(self) -> bool:
        """Return whether it waits for its tools."""
        return self.calls_tools and self.task is not None and not self.task.done()


_RUN: Final[ContextVar[Run | None]] = ContextVar("telic_agents_run", default=None)


def enter_run(agent: Agent[Any]) -> None:
    """From now on this agent asks the model in this task; it may be a sub-agent.

    The SDK runs each tool in a task of its own: a task that finds another's run, which waits for its tools, runs within
    one of these tools. A handoff stays in its task.
    """
    run, task = _RUN.get(), asyncio.current_task()
    if run is not None and run.task is task:
        run.agent = agent
        return
    _RUN.set(Run(task, agent, run is not None and (run.is_sub_agent or run.is_at_tools())))


@dataclass(eq=False)
class GoalModel(Model):
    """Stands for whatever model the run's agent has; a run configuration hands it to agents as tools as well."""

    session: GoalSession
    base: RunConfig
    in_instructions: bool
    _quiet: dict[int, tuple[Model, int]] = field(default_factory=dict[int, tuple[Model, int]])
    _used: list[Model] = field(default_factory=list[Model])

    def __getattr__(self, name: str) -> Any:
        # The SDK asks models for more than the interface has: that is the agent's own model's.
        if name.startswith("__") or _RUN.get() is None:
            raise AttributeError(name)
        return getattr(self.own_model(), name)

    def own_model(self) -> Model:
        """The model that the SDK would have called."""
        run = _RUN.get()
        chosen = self.base.model or (run and run.agent.model)
        return chosen if isinstance(chosen, Model) else self.base.model_provider.get_model(chosen or None)

    def get_retry_advice(self, request: Any) -> Any:
        """The agent's own model's advice."""
        return self.own_model().get_retry_advice(request)

    async def _cleanup_on_run_end(self, owner: object) -> None:
        run = _RUN.get()
        if run is not None:
            run.calls_tools = False
        for model in self._used:
            cleanup = getattr(model, "_cleanup_on_run_end", None)
            if cleanup is not None:
                await cleanup(owner)

    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        *arguments: Any,
        **named: Any,
    ) -> ModelResponse:
        """The agent's own model's response; it is billed, and so is each attempt that was lost before it."""
        model, attempts = self._without_retries(model_settings, named)
        for attempt in range(attempts):
            request = await self._begin(model, system_instructions, input, model_settings, arguments, named)
            try:
                response = await model.get_response(*request.shown, request.settings, *arguments, **named)
            except BaseException as error:
                await request.session.record_failed_call(request.call, error)
                if attempt + 1 == attempts or not is_worth_a_retry(error):
                    raise
                await asyncio.sleep(retry_delay_seconds(error, attempt))
            else:
                await self._bill(request, model, response)
                return response
        raise AssertionError("the last attempt returns or raises")

    async def stream_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        *arguments: Any,
        **named: Any,
    ) -> AsyncIterator[Any]:
        """As `get_response`; of a stream that breaks or is left, what was seen is estimated."""
        model, attempts = self._without_retries(model_settings, named)
        for attempt in range(attempts):
            request = await self._begin(model, system_instructions, input, model_settings, arguments, named)
            seen = _StreamedResponse()
            try:
                stream = model.stream_response(*request.shown, request.settings, *arguments, **named)
                async with aclosing(cast("Any", stream)) as events:
                    async for event in events:
                        if seen.take(event):
                            await self._bill_stream(request, model, seen)
                        yield event
            except BaseException as error:
                if seen.is_billed:
                    raise
                await request.session.record_failed_call(request.call, error, seen_bytes=seen.count)
                if seen.count or attempt + 1 == attempts or not is_worth_a_retry(error):
                    raise
                await asyncio.sleep(retry_delay_seconds(error, attempt))
            else:
                if not seen.is_billed:
                    await request.session.record_response(request.call, None, seen_bytes=seen.count)
                return

    def _session(self) -> GoalSession:
        run = _RUN.get()
        if run is None or not run.is_sub_agent:
            return self.session
        run.session = run.session or self.session.sub_agent()
        return run.session

    def _without_retries(self, settings: ModelSettings, named: dict[str, Any]) -> tuple[Model, int]:
        """Return the model with a client that retries nothing by itself, and how many attempts are made instead.

        A response that is lost and asked for again is paid twice, and within a client nobody sees it. Where the runner
        retries, or the provider keeps the conversation, one attempt is made.
        """
        model = self.own_model()
        if not any(used is model for used in self._used):
            self._used.append(model)
        client: Any = getattr(model, "_client", None)
        if type(model) not in _HTTP_MODELS or not getattr(client, "max_retries", 0):
            return model, 1
        if id(model) not in self._quiet:
            # A copy: the agent's own model stays as its host made it.
            quiet = copy(model)
            vars(quiet)["_client"] = client.with_options(max_retries=0)
            self._quiet[id(model)] = quiet, client.max_retries + 1
        quiet, attempts = self._quiet[id(model)]
        is_once = getattr(settings, "retry", None) is not None or any(named.get(name) for name in _KEPT)
        return quiet, 1 if is_once else attempts

    async def _begin(
        self,
        model: Model,
        instructions: str | None,
        input: str | list[TResponseInputItem],
        settings: ModelSettings,
        arguments: tuple[Any, ...],
        named: dict[str, Any],
    ) -> "_Request":
        tools = arguments[0] if arguments else named.get("tools", ())
        size = len(instructions or "") + len(json.dumps(input, default=str)) + sum(map(_size, tools))
        session = self._session()
        call = await session.begin(model=getattr(model, "model", None), request_bytes=size)
        shown: tuple[str | None, Any] = instructions, input
        if call.prompt is not None and (self.in_instructions or any(named.get(name) for name in _KEPT)):
            shown = place_after_prefix(instructions or "", call.prompt), input
        elif call.prompt is not None:
            given: list[Any] = [{"role": "user", "content": input}] if isinstance(input, str) else list(input)
            shown = instructions, [*given, {"role": "user", "content": call.prompt}]
        return _Request(session, call, shown, self._settings(settings))

    def _settings(self, settings: ModelSettings) -> ModelSettings:
        """Return the settings with the usage asked for, and with what the agent's own model has by default.

        The SDK takes a model object's defaults to be none, also where the agent merely names its model.
        """
        run, named = _RUN.get(), self.base.model
        if run is not None and not isinstance(named, Model) and not isinstance(own := run.agent.model, Model):
            is_implicit = run.agent.model_settings == _defaults(own)
            settings = _defaults(named or own).resolve(settings) if is_implicit else settings
        return settings if settings.include_usage is not None else replace(settings, include_usage=True)

    async def _bill_stream(self, request: "_Request", model: Model, seen: "_StreamedResponse") -> None:
        ended, seen.is_billed = seen.ended, True
        used = getattr(ended, "usage", None)
        _note_tools(ended.output)
        await request.session.record_response(
            request.call,
            None if used is None else _usage(used),
            model=getattr(ended, "model", None) or getattr(model, "model", None),
            response_id=_response_id(ended.id, getattr(ended, "_request_id", None)),
            seen_bytes=seen.count,
        )

    async def _bill(self, request: "_Request", model: Model, response: ModelResponse) -> None:
        told = (getattr(item, "provider_data", None) or {} for item in response.output)
        name = next((data["model"] for data in told if "model" in data), None)
        _note_tools(response.output)
        await request.session.record_response(
            request.call,
            _usage(response.usage),
            model=name or getattr(model, "model", None),
            response_id=_response_id(response.response_id, response.request_id),
        )


@dataclass(frozen=True, slots=True)
class _Request:
    session: GoalSession
    call: ModelCall
    shown: tuple[str | None, Any]
    settings: ModelSettings


@dataclass(slots=True)
class _StreamedResponse:
    """A streamed response so far: how many bytes came, and its end."""

    count: int = 0
    ended: Any = None
    is_billed: bool = False

    def take(self, event: Any) -> bool:
        """Count the event; return whether it ends the response."""
        text = getattr(event, "delta", None)
        self.count += len(text.encode("utf-8", "replace")) if isinstance(text, str) else 1
        if getattr(event, "type", None) in _ENDED:
            self.ended = getattr(event, "response", None)
        return self.ended is not None


def _defaults(model: str | None) -> ModelSettings:
    return get_default_model_settings() if model is None else get_default_model_settings(model)


def _size(tool: Any) -> int:
    told = (getattr(tool, name, "") for name in ("name", "description", "params_json_schema"))
    return sum(len(str(each)) for each in told)


def _note_tools(output: list[Any]) -> None:
    run = _RUN.get()
    if run is not None:
        run.calls_tools = any(str(getattr(item, "type", "")).endswith("_call") for item in output)


def _usage(used: Any) -> ModelUsage | None:
    asked, answered = getattr(used, "input_tokens_details", None), getattr(used, "output_tokens_details", None)
    return model_usage(
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cached_input_tokens=getattr(asked, "cached_tokens", None),
        reasoning_tokens=getattr(answered, "reasoning_tokens", None),
        total_tokens=getattr(used, "total_tokens", None),
    )


def _response_id(response_id: str | None, request_id: str | None) -> str | None:
    is_made_up = response_id == FAKE_RESPONSES_ID
    return request_id if is_made_up or not response_id else response_id
