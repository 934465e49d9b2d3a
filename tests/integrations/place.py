"""Where an adapter works in the tests, and what runs it: in this process, or in one that can be lost."""

import asyncio
import importlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import telic
from telic.integrations.settings import SessionSettings
from telic.loop.verification.verifier import Verifier

SCOPE = "thread-1"


@dataclass(frozen=True)
class Place:
    """A store, a model server, a conversation that outlives its process, and a workspace."""

    store: str
    url: str
    folder: str

    @property
    def workspace(self) -> Path:
        return Path(self.folder) / "work"

    @property
    def conversation(self) -> str:
        return str(Path(self.folder) / "conversation.db")

    def fix(self) -> str:
        """What the model's own tool does."""
        (self.workspace / "done.txt").write_text("done")
        return "fixed"

    def settings(self, **given: Any) -> SessionSettings:
        given = {"verifier": Verifier(workspace=self.workspace), "held_tokens": 100, "heartbeat_seconds": 0.05} | given
        return SessionSettings(**given)


async def responses(store: telic.AsyncGoalStore, goal_id: str) -> list[telic.Turn]:
    """The ledger's lines for models' responses: Claude Code adds one for what only its own sum of costs tells."""
    return [turn for turn in await store.turns(goal_id) if turn.usage.tokens]


async def work(adapter: str, place: Place, prompt: str | None = None) -> None:
    """The adapter of this name has worked in the place, with objects of its own, until it stopped."""
    module = importlib.import_module(f"tests.integrations.{adapter}_agent")
    async with telic.connect_async(place.store) as store:
        await module.work(place, store, prompt)


def command(adapter: str, place: Place, prompt: str | None = None) -> list[str]:
    """The same, in a process of its own."""
    return [sys.executable, "-m", "tests.integrations.place", adapter, json.dumps(asdict(place)), json.dumps(prompt)]


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Place(**json.loads(sys.argv[2])), json.loads(sys.argv[3])))
