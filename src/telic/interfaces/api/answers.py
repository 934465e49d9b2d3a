"""Responses, and the tags of goals."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from telic.domain.goal import Goal
from telic.domain.jsonable import goal_to_json

HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
MEDIA_TYPE: Final = "application/json"


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The content as ASCII: every character of it comes back exactly, and no proxy can misread it."""
    body = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    return Response(body, status, {**HEADERS, **(headers or {})}, MEDIA_TYPE)


def goal_answer(goal: Goal, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The goal with its tag."""
    return json_answer(goal_to_json(goal), status, {"ETag": goal_tag(goal), **(headers or {})})


def unchanged_answer(goal: Goal) -> Response:
    """Nothing but the tag: the client has the goal as it stands."""
    return Response(None, 304, {**HEADERS, "ETag": goal_tag(goal)})


def goal_tag(goal: Goal) -> str:
    """The goal's revision, which guards writes, and a digest, which changes with every turn that is recorded too."""
    digest = hashlib.sha256(json.dumps(goal_to_json(goal)).encode()).hexdigest()[:16]
    return f'"{goal.revision}.{digest}"'
