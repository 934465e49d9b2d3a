"""Codex."""

from tests.hosts.host import MCP, PATIENCE
from tests.hosts.world import World

CONFIGURATION = """\
model = "gpt-5.1-codex"
model_provider = "tests"
check_for_update_on_startup = false
[model_providers.tests]
name = "tests"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "KEY_OF_THE_TESTS"
{retries}
[analytics]
enabled = false
[projects."{folder}"]
trust_level = "trusted"
"""
FEW_RETRIES = "request_max_retries = 2\nstream_max_retries = 1"
SERVER = (
    '[mcp_servers.telic]\ncommand = "telic"\nargs = [{arguments}]\nstartup_timeout_sec = 300\ntool_timeout_sec = 600\n'
)
FREE = ("--sandbox", "danger-full-access")


class Codex:
    name = "codex"
    agent = " ".join(("codex", *FREE))
    run_options: tuple[str, ...] = ()

    def prepare(self, world: World) -> None:
        self.configure(world, FEW_RETRIES)
        world.environment["KEY_OF_THE_TESTS"] = "a-key"

    def configure(self, world: World, retries: str, more: str = "") -> None:
        text = CONFIGURATION.format(url=world.server.url, retries=retries, folder=world.repository)
        world.write(".codex/config.toml", text + more)

    def ask(self, prompt: str) -> tuple[str, ...]:
        # A new hook must be trusted in the terminal before it runs, or passed by this flag.
        return ("codex", "exec", *FREE, "--dangerously-bypass-hook-trust", prompt)

    def install_hooks(self, world: World, *options: str) -> None:
        world.telic("install", "codex", "--yes", *PATIENCE, *options)

    def serve_goals(self, world: World, scope: str) -> None:
        # Codex gives its servers few variables, so the store is named.
        words = (*MCP, scope, "--store", str(world.store))
        arguments = ", ".join(f'"{word}"' for word in words)
        self.configure(world, FEW_RETRIES, SERVER.format(arguments=arguments))


CODEX = Codex()
