"""opencode."""

from typing import Any

from tests.hosts.host import MCP
from tests.hosts.world import World
from tests.support.wire_formats import MODEL

QUIET = {f"OPENCODE_DISABLE_{what}": "1" for what in ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "SHARE")}


class OpenCode:
    name = "opencode"
    agent = "opencode run"
    run_options = ("--prompt-argument",)

    def prepare(self, world: World) -> None:
        world.environment |= QUIET
        self._configure(world)

    def _configure(self, world: World, **settings: Any) -> None:
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "name": "tests",
            "options": {"baseURL": f"{world.server.url}/v1", "apiKey": "a-key"},
            "models": {MODEL: {"name": "tests"}},
        }
        quiet = {
            "autoupdate": False,
            "share": "disabled",
            "model": f"tests/{MODEL}",
            "small_model": f"tests/{MODEL}",
            "permission": {"*": "allow"},
            "provider": {"tests": provider},
        }
        world.write(".config/opencode/opencode.json", quiet | settings)

    def ask(self, prompt: str) -> tuple[str, ...]:
        return ("opencode", "run", "--auto", prompt)

    def install_hooks(self, world: World, *options: str) -> None:
        raise NotImplementedError("opencode has plugins in JavaScript in place of hooks")

    def serve_goals(self, world: World, scope: str) -> None:
        variables = {"TELIC_STORE": str(world.store)}
        command = ["telic", *MCP, scope]
        server = {"type": "local", "command": command, "environment": variables, "enabled": True, "timeout": 300_000}
        self._configure(world, mcp={"telic": server})


OPENCODE = OpenCode()
