"""Gemini CLI."""

from typing import Any

from tests.hosts.host import HOOK_SECONDS, PATIENCE, server_of_goals
from tests.hosts.world import World

MOMENTS = ("SessionStart", "BeforeAgent", "AfterAgent", "SessionEnd")
OPTIONS = ("--approval-mode", "yolo", "-m", "gemini-2.5-pro")


class GeminiCli:
    name = "gemini"
    agent = " ".join(("gemini", *OPTIONS))
    run_options: tuple[str, ...] = ()

    def prepare(self, world: World) -> None:
        world.environment |= {
            "GOOGLE_GEMINI_BASE_URL": world.server.url,
            "GEMINI_API_KEY": "a-key",
            "GEMINI_TELEMETRY_ENABLED": "false",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        }
        self._configure(world)

    def _configure(self, world: World, **settings: Any) -> None:
        quiet = {
            "security": {"auth": {"selectedType": "gemini-api-key"}},
            "privacy": {"usageStatisticsEnabled": False},
            "general": {"disableAutoUpdate": True, "disableUpdateNag": True},
        }
        world.write(".gemini/settings.json", quiet | settings)

    def ask(self, prompt: str) -> tuple[str, ...]:
        return ("gemini", *OPTIONS, "-p", prompt)

    def install_hooks(self, world: World, *options: str) -> None:
        command = " ".join(("telic", "hook", "gemini", *PATIENCE, *options))
        handler = {"type": "command", "command": command, "timeout": HOOK_SECONDS * 1_000}
        hooks = {moment: [{"hooks": [handler]}] for moment in MOMENTS}
        self._configure(world, hooks=hooks)

    def serve_goals(self, world: World, scope: str) -> None:
        self._configure(world, mcpServers={"telic": server_of_goals(world, scope)})


GEMINI_CLI = GeminiCli()
