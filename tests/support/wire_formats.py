"""One scripted reply in the wire formats of OpenAI (both APIs), Anthropic and Gemini."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

_NUMBERS = itertools.count(1)
MODEL = "model-of-the-tests"


@dataclass(frozen=True)
class Spent:
    """What a reply says that it consumed; cached and written are parts of the input, reasoning one of the output.

    Only Anthropic's format tells what was written to the cache, and the `steps` of a request that was answered in
    several: each has its type and counts, and the model's own alone are in the counts here.
    """

    input: int = 1_000
    cached: int = 400
    output: int = 50
    reasoning: int = 20
    written: int = 0
    steps: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Reply:
    """One reply: a text, calls of tools (name and arguments, an object or the raw text), or a failure.

    `before` is called when the request has come, and before it is answered. A stream is cut off after
    `cut_after` events, and never goes on then if the reply hangs; where it `ends_early`, the connection closes as if
    it were whole; with an `error` that is its last event. A failure says `message`, or is wholly `error`.
    """

    text: str | None = None
    calls: tuple[tuple[str, Any], ...] = ()
    spent: Spent | None = field(default_factory=Spent)
    status: int = 200
    hangs: bool = False
    id: str | None = None
    before: Callable[[], object] | None = None
    model: str = MODEL
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "refused"
    error: dict[str, Any] | None = None
    cut_after: int | None = None
    ends_early: bool = False

    @property
    def told(self) -> Spent | None:
        """What the client gets to know of what the reply consumed."""
        is_whole = self.status == 200 and not self.hangs and self.cut_after is None
        return self.spent if is_whole else None

    def numbered(self) -> tuple[str, list[tuple[str, str, Any]]]:
        """The reply's id, and its calls with theirs."""
        number = next(_NUMBERS)
        name = f"response-{number}" if self.id is None else self.id
        return name, [(f"call-{number}-{index}", *call) for index, call in enumerate(self.calls)]


def says(text: str) -> Reply:
    return Reply(text=text)


def calls(name: str, **arguments: Any) -> Reply:
    return Reply(calls=((name, arguments),))


def text_of(value: Any) -> str:
    """All texts in the value, joined."""
    return "\n".join(_texts(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _raw(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _events(events: Iterable[dict[str, Any]], *, named: bool = False, end: bytes = b"") -> bytes:
    lines = []
    for event in events:
        name = f"event: {event['type']}\n" if named else ""
        lines.append(f"{name}data: {json.dumps(event)}\n\n".encode())
    return b"".join(lines) + end


class ChatCompletions:
    """OpenAI's chat completions."""

    def matches(self, path: str, body: dict[str, Any]) -> bool:
        return path.endswith("/chat/completions")

    def is_streamed(self, path: str, body: dict[str, Any]) -> bool:
        return bool(body.get("stream"))

    def error(self, status: int, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "error", "code": "error"}}

    def _usage(self, spent: Spent | None) -> dict[str, Any] | None:
        if spent is None:
            return None
        return {
            "prompt_tokens": spent.input,
            "completion_tokens": spent.output,
            "total_tokens": spent.input + spent.output,
            "prompt_tokens_details": {"cached_tokens": spent.cached},
            "completion_tokens_details": {"reasoning_tokens": spent.reasoning},
        }

    def body(self, reply: Reply) -> dict[str, Any]:
        name, numbered = reply.numbered()
        message: dict[str, Any] = {"role": "assistant", "content": reply.text}
        if numbered:
            message["tool_calls"] = [
                {"id": call, "type": "function", "function": {"name": tool, "arguments": _raw(arguments)}}
                for call, tool, arguments in numbered
            ]
        reason = "tool_calls" if numbered else "stop"
        body = {
            "id": name,
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": reply.model,
            "choices": [{"index": 0, "finish_reason": reason, "message": message}],
        }
        usage = self._usage(reply.spent)
        return body if usage is None else body | {"usage": usage}

    def stream(self, reply: Reply) -> bytes:
        whole = self.body(reply)
        message = whole["choices"][0]["message"]
        head = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": part} for part in (message["content"] or "",)]
        for index, call in enumerate(message.get("tool_calls", ())):
            deltas.append({"tool_calls": [call | {"index": index}]})
        chunks: list[dict[str, Any]] = [
            head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
        ]
        reason = whole["choices"][0]["finish_reason"]
        chunks.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if "usage" in whole:
            chunks.append(head | {"choices": [], "usage": whole["usage"]})
        return _events(chunks, end=b"data: [DONE]\n\n")


class Responses:
    """OpenAI's responses; a tool in a namespace is named `namespace/tool`."""

    def matches(self, path: str, body: dict[str, Any]) -> bool:
        return path.endswith("/responses")

    def is_streamed(self, path: str, body: dict[str, Any]) -> bool:
        return bool(body.get("stream"))

    def error(self, status: int, message: str) -> dict[str, Any]:
        kind = "rate_limit_exceeded" if status == 429 else "server_error"
        return {"error": {"message": message, "type": kind, "code": None}}

    def _named(self, tool: str) -> dict[str, str]:
        namespace, _, name = tool.rpartition("/")
        return {"namespace": namespace, "name": name} if namespace else {"name": name}

    def body(self, reply: Reply) -> dict[str, Any]:
        name, numbered = reply.numbered()
        output: list[dict[str, Any]] = []
        if reply.text is not None:
            content = [{"type": "output_text", "text": reply.text, "annotations": []}]
            output.append(
                {"type": "message", "id": f"msg-{name}", "role": "assistant", "status": "completed", "content": content}
            )
        output += [
            {
                "type": "function_call",
                "id": f"fc-{call}",
                "call_id": call,
                **self._named(tool),
                "arguments": _raw(arguments),
                "status": "completed",
            }
            for call, tool, arguments in numbered
        ]
        spent = reply.spent
        usage = spent and {
            "input_tokens": spent.input,
            "input_tokens_details": {"cached_tokens": spent.cached},
            "output_tokens": spent.output,
            "output_tokens_details": {"reasoning_tokens": spent.reasoning},
            "total_tokens": spent.input + spent.output,
        }
        return {
            "id": name,
            "object": "response",
            "created_at": 1_700_000_000,
            "status": "completed",
            "model": reply.model,
            "output": output,
            "usage": usage,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }

    def stream(self, reply: Reply) -> bytes:
        whole = self.body(reply)
        begun = whole | {"status": "in_progress", "output": [], "usage": None}
        events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
        for index, item in enumerate(whole["output"]):
            events.append({"type": "response.output_item.added", "output_index": index, "item": item})
            events.append({"type": "response.output_item.done", "output_index": index, "item": item})
        events.append({"type": "response.completed", "response": whole})
        return _events([event | {"sequence_number": n} for n, event in enumerate(events)], named=True)


class Messages:
    """Anthropic's messages."""

    def matches(self, path: str, body: dict[str, Any]) -> bool:
        return path.endswith("/v1/messages")

    def is_streamed(self, path: str, body: dict[str, Any]) -> bool:
        return bool(body.get("stream"))

    def error(self, status: int, message: str) -> dict[str, Any]:
        kinds = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}
        return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": message}}

    def _usage(self, spent: Spent | None) -> dict[str, Any]:
        if spent is None:
            return {}
        return {
            "input_tokens": spent.input - spent.cached - spent.written,
            "cache_read_input_tokens": spent.cached,
            "cache_creation_input_tokens": spent.written,
            "output_tokens": spent.output,
            "output_tokens_details": {"thinking_tokens": spent.reasoning},
            **({"iterations": [*spent.steps]} if spent.steps else {}),
        }

    def body(self, reply: Reply) -> dict[str, Any]:
        name, numbered = reply.numbered()
        content: list[dict[str, Any]] = [] if reply.text is None else [{"type": "text", "text": reply.text}]
        content += [
            {"type": "tool_use", "id": call, "name": tool, "input": arguments} for call, tool, arguments in numbered
        ]
        return {
            "id": name,
            "type": "message",
            "role": "assistant",
            "model": reply.model,
            "content": content,
            "stop_reason": "tool_use" if numbered else "end_turn",
            "stop_sequence": None,
            "usage": self._usage(reply.spent),
        }

    def stream(self, reply: Reply) -> bytes:
        whole = self.body(reply)
        usage = whole["usage"]
        begun = whole | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1} if usage else {}}
        events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
        for index, block in enumerate(whole["content"]):
            is_text = block["type"] == "text"
            empty = block | ({"text": ""} if is_text else {"input": {}})
            delta = (
                {"type": "text_delta", "text": block["text"]}
                if is_text
                else {"type": "input_json_delta", "partial_json": _raw(block["input"])}
            )
            events.append({"type": "content_block_start", "index": index, "content_block": empty})
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
            events.append({"type": "content_block_stop", "index": index})
        ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        events.append({"type": "message_delta", "delta": ended, "usage": usage})
        events.append({"type": "message_stop"})
        return _events(events, named=True)


class GenerateContent:
    """Gemini's generateContent."""

    def matches(self, path: str, body: dict[str, Any]) -> bool:
        return path.endswith((":generateContent", ":streamGenerateContent"))

    def is_streamed(self, path: str, body: dict[str, Any]) -> bool:
        return ":streamGenerateContent" in path

    def error(self, status: int, message: str) -> dict[str, Any]:
        return {"error": {"code": status, "message": message, "status": "ERROR"}}

    def body(self, reply: Reply) -> dict[str, Any]:
        name, numbered = reply.numbered()
        parts: list[dict[str, Any]] = [] if reply.text is None else [{"text": reply.text}]
        parts += [{"functionCall": {"id": call, "name": tool, "args": args}} for call, tool, args in numbered]
        body: dict[str, Any] = {
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
            "modelVersion": reply.model,
            "responseId": name,
        }
        spent = reply.spent
        if spent is not None:
            body["usageMetadata"] = {
                "promptTokenCount": spent.input,
                "cachedContentTokenCount": spent.cached,
                "candidatesTokenCount": spent.output - spent.reasoning,
                "thoughtsTokenCount": spent.reasoning,
                "totalTokenCount": spent.input + spent.output,
            }
        return body

    def stream(self, reply: Reply) -> bytes:
        whole = self.body(reply)
        parts = whole["candidates"][0]["content"]["parts"]
        first = whole | {"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}]}
        usage = first.pop("usageMetadata", None)
        if reply.ends_early and usage:
            first["usageMetadata"] = {"promptTokenCount": usage["promptTokenCount"], "candidatesTokenCount": 1}
        last = whole | {
            "candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP", "index": 0}]
        }
        return _events([first, last])


def tool_names(body: dict[str, Any]) -> list[str]:
    """Return the names of the tools that a request offers, in any of the formats."""
    names: list[str] = []
    for tool in body.get("tools") or []:
        if "functionDeclarations" in tool:
            names += [each["name"] for each in tool["functionDeclarations"]]
        elif tool.get("type") == "namespace":
            names += [f"{tool['name']}/{each['name']}" for each in tool["tools"]]
        else:
            names.append(tool.get("name") or tool.get("function", {}).get("name") or tool["type"])
    return names


def messages_of(body: dict[str, Any]) -> list[Any]:
    """Return the conversation that a request holds, in any of the formats."""
    found = body.get("messages") or body.get("input") or body.get("contents") or []
    return found if isinstance(found, list) else [{"role": "user", "content": found}]


FORMATS = (ChatCompletions(), Responses(), Messages(), GenerateContent())
