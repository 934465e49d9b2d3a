"""The Claude Agent SDK in the tests, with the real command that it brings."""

from pathlib import Path
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, create_sdk_mcp_server, tool

import telic
from telic.integrations.claude_agent import ClaudeGoal, ClaudeRun
from telic.integrations.runs import RunOutcome
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import MODEL


def options_of(place: Place, **given: Any) -> ClaudeAgentOptions:
    """Nothing of the person whose machine it is: no settings, no key, no home."""

    @tool("fix", "Fixes what is broken.", {})
    async def fix(_arguments: dict[str, Any]) -> dict[str, Any]:
        return {"content": [{"type": "text", "text": place.fix()}]}

    home = Path(place.folder) / "home"
    home.mkdir(exist_ok=True)
    environment = {
        "ANTHROPIC_BASE_URL": place.url,
        "ANTHROPIC_API_KEY": "a-key-of-the-tests",
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "DISABLE_AUTOUPDATER": "1",
    }
    return ClaudeAgentOptions(
        model=MODEL,
        system_prompt="Work.",
        mcp_servers={"own": create_sdk_mcp_server("own", tools=[fix])},
        allowed_tools=["mcp__own__fix"],
        tools=[],
        setting_sources=[],
        strict_mcp_config=True,
        cwd=place.workspace,
        env=environment,
        stderr=lambda _line: None,
        **given,
    )


async def work(
    place: Place, store: telic.AsyncGoalStore | telic.GoalStore, prompt: str | None = None, **given: Any
) -> RunOutcome[ClaudeRun]:
    return await ClaudeGoal(store, scope=SCOPE, settings=place.settings(**given)).run(prompt, options=options_of(place))
