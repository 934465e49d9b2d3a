"""Qwen Code."""

from typing import Any

from tests.hosts.host import HOOK_SECONDS, server_of_goals
from tests.hosts.world import World
from tests.support.wire_formats import MODEL

OPTIONS = ("--approval-mode", "yolo")

MOMENTS = ("SessionStart", "UserPromptSubmit", "Stop", "SessionEnd")


class QwenCode:
    name = "qwen"
    agent = " ".join(("qwen", *OPTIONS))
    run_options: tuple[str, ...] = ()

    def prepare(self, world: World) -> None:
        world.environment |= {
            "OPENAI_API_KEY": "a-key",
            "OPENAI_BASE_URL": f"{world.server.url}/v1",
            "OPENAI_MODEL": MODEL,
            "QWEN_TELEMETRY_ENABLED": "false",
        }
        self._configure(world)

    def _configure(self, world: World, **settings: Any) -> None:
        quiet = {
            "security": {"auth": {"selectedType": "openai"}},
            "privacy": {"usageStatisticsEnabled": False},
            "general": {"disableAutoUpdate": True},
        }
        world.write(".qwen/settings.json", quiet | settings)

    def ask(self, prompt: str) -> tuple[str, ...]:
        return ("qwen", *OPTIONS, "-p", prompt)

    def install_hooks(self, world: World, *options: str) -> None:
        raise NotImplementedError("Telic answers no hooks of Qwen Code")

    def configure_hooks(self, world: World, command: str) -> None:
        """It calls hooks of Claude Code's form."""
        handler = {"type": "command", "command": command, "timeout": HOOK_SECONDS * 1_000}
        hooks = {moment: [{"hooks": [handler]}] for moment in MOMENTS}
        self._configure(world, hooks=hooks)

    def serve_goals(self, world: World, scope: str) -> None:
        self._configure(world, mcpServers={"telic": server_of_goals(world, scope)})


QWEN_CODE = QwenCode()
