"""Claude Code."""

import json
import uuid

from tests.hosts.host import MCP, PATIENCE
from tests.hosts.world import World

KEY = "sk-ant-a-key-of-the-tests"
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_BUG_COMMAND": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
}
PATIENT = {"MCP_CONNECTION_NONBLOCKING": "0", "MCP_CONNECT_TIMEOUT_MS": "300000", "MCP_TIMEOUT": "300000"}
"""It waits for its MCP servers before its first request."""
MODE = ("--permission-mode", "bypassPermissions")


class ClaudeCode:
    name = "claude"
    agent = " ".join(("claude", *MODE))
    run_options: tuple[str, ...] = ()

    def prepare(self, world: World) -> None:
        # The sandbox is what lets root have its permissions bypassed.
        world.environment |= (
            QUIET
            | PATIENT
            | {
                "IS_SANDBOX": "1",
                "ANTHROPIC_BASE_URL": world.server.url,
                "ANTHROPIC_API_KEY": KEY,
            }
        )

    def ask(self, prompt: str) -> tuple[str, ...]:
        return ("claude", "-p", prompt, *MODE)

    def install_hooks(self, world: World, *options: str) -> None:
        world.telic("install", "claude-code", "--yes", *PATIENCE, *options)

    def serve_goals(self, world: World, scope: str) -> None:
        ended = world.execute("claude", "mcp", "add", "telic", "--", "telic", *MCP, scope)
        assert ended.code == 0, ended

    def new_session(self, world: World, budget: str = "2M") -> str:
        """There is a goal of a session that is still to begin; return the session's id."""
        session = str(uuid.uuid4())
        world.create(f"claude-code/{session}", budget)
        return session

    def answer_first_questions(self, world: World) -> None:
        """The terminal opens at the prompt: the questions of a first start are answered."""
        trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True, "allowedTools": []}
        answers = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "bypassPermissionsModeAccepted": True,
            "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
            "projects": {str(world.repository): trusted},
        }
        world.write(".claude.json", json.dumps(answers))


CLAUDE_CODE = ClaudeCode()
