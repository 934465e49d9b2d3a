"""Lines as hosts write them into their transcripts."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


def stamp(seconds: float = 0.0) -> str:
    """A time so many seconds from now, as hosts write it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def assistant(
    identity: str,
    text: str = "working",
    *,
    output: int = 50,
    stop: str | None = "end_turn",
    side: bool = False,
    after: float = 0.0,
    model: str = "claude-opus-5",
) -> dict[str, Any]:
    """One content block of a response: 10 plain, 900 read and 90 written tokens of input."""
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 900,
        "cache_creation_input_tokens": 90,
        "output_tokens": output,
        "service_tier": "standard",
    }
    message = {
        "id": identity,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop,
        "usage": usage,
    }
    more = {"agentId": "ae267a1"} if side else {}
    return {"type": "assistant", "isSidechain": side, "timestamp": stamp(after), "message": message, **more}


def user(text: str = "go on") -> dict[str, Any]:
    return {"type": "user", "isSidechain": False, "timestamp": stamp(), "message": {"role": "user", "content": text}}


def codex_meta(thread: str, *, after: float = 0.0, **more: Any) -> dict[str, Any]:
    payload = {"id": thread, "cwd": "/work", "cli_version": "0.163.0", **more}
    return {"timestamp": stamp(after), "type": "session_meta", "payload": payload}


def codex_count(total: int, last: int, *, after: float = 0.0) -> dict[str, Any]:
    """Of so many tokens, a tenth is output and half of the input cached."""

    def counts(tokens: int) -> dict[str, int]:
        output = tokens // 10
        return {
            "input_tokens": tokens - output,
            "cached_input_tokens": (tokens - output) // 2,
            "output_tokens": output,
            "reasoning_output_tokens": 0,
            "total_tokens": tokens,
        }

    info = {"total_token_usage": counts(total), "last_token_usage": counts(last), "model_context_window": 258_400}
    payload = {"type": "token_count", "info": info, "rate_limits": {"primary": {"used_percent": 7.0}}}
    return {"timestamp": stamp(after), "type": "event_msg", "payload": payload}


def write(path: Path, *lines: dict[str, Any]) -> None:
    """The file ends with these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")
