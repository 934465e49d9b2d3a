"""Copilot CLI."""

from tests.hosts.host import HOOK_SECONDS, PATIENCE, server_of_goals
from tests.hosts.world import World
from tests.support.wire_formats import MODEL

MOMENTS = ("SessionStart", "UserPromptSubmit", "Stop", "SessionEnd")
OPTIONS = ("--allow-all-tools", "--no-color", "--no-auto-update")


class CopilotCli:
    name = "copilot"
    agent = " ".join(("copilot", *OPTIONS, "-s"))
    run_options: tuple[str, ...] = ()

    def prepare(self, world: World) -> None:
        world.environment |= {
            "COPILOT_PROVIDER_BASE_URL": f"{world.server.url}/v1",
            "COPILOT_PROVIDER_TYPE": "openai",
            "COPILOT_PROVIDER_API_KEY": "a-key",
            "COPILOT_MODEL": MODEL,
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
        }

    def ask(self, prompt: str) -> tuple[str, ...]:
        return ("copilot", *OPTIONS, "-p", prompt)

    def install_hooks(self, world: World, *options: str) -> None:
        command = " ".join(("telic", "hook", "copilot", *PATIENCE, *options))
        hooks = {moment: [{"type": "command", "bash": command, "timeoutSec": HOOK_SECONDS}] for moment in MOMENTS}
        world.write(".copilot/hooks/telic.json", {"version": 1, "hooks": hooks})

    def serve_goals(self, world: World, scope: str) -> None:
        server = server_of_goals(world, scope, type="local", tools=["*"])
        world.write(".copilot/mcp-config.json", {"mcpServers": {"telic": server}})


COPILOT_CLI = CopilotCli()
