"""Checking a goal's criteria at a stop: in bounded time, settled as the loop settles it, and paid for in any case."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from telic.domain.errors import InvalidInput, OutcomeUnknown, StaleUpdate, StoreBusy, StoreUnavailable
from telic.domain.goal import Goal
from telic.domain.ids import new_key
from telic.domain.lease import Lease
from telic.domain.loop_state import LoopState
from telic.domain.verdict import Verdict
from telic.domain.verification import Verification
from telic.integrations.hosts.judge_choice import JudgeChoice
from telic.integrations.hosts.payload import Notice
from telic.services.settlement import settle
from telic.store.goal_store import GoalStore

T = TypeVar("T")

_PASSING: Final = (StoreBusy, StoreUnavailable, OutcomeUnknown)
_PATIENCE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.2


class Unchecked(Exception):
    """The criteria could not be checked, and `why` is what the user should know."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(slots=True)
class Checking:
    """Checks goals, each time for `seconds` at most; `before` is called first."""

    store: GoalStore
    seconds: float
    judge: JudgeChoice
    before: Callable[[], None]
    _heard: list[Verdict] = field(default_factory=list[Verdict])

    def check(self, goal: Goal, lease: Lease | None, state: LoopState, notice: Notice) -> tuple[Verification, Goal]:
        """The verdicts are recorded, the judges billed, and here are both the verdicts and the goal after them.

        Raises:
            Unchecked: there is no verdict; judges that had answered are billed.
        """
        # Most stops check nothing, and should not pay for importing it.
        import asyncio

        from telic.loop.state_transitions import judged_lines

        self.before()
        self._heard, key = [], f"hook/check-{new_key()}"
        try:
            found = asyncio.run(self._verify(goal, state, notice))
            judged = judged_lines(f"{key}/judge", found.verdicts)
            after = _patiently(lambda: settle(self.store, goal.id, found, judged, key=key, lease=lease))
        except TimeoutError:
            self._bill(goal, key)
            took = f"the checks took longer than {self.seconds:.0f} seconds"
            raise Unchecked(f"{took}, so goal {goal.id} stays active and unverified.") from None
        except InvalidInput as error:
            self._bill(goal, key)
            raise Unchecked(f"goal {goal.id} cannot be judged, and stays active: {error}") from error
        except StaleUpdate as error:
            self._bill(goal, key)
            raise Unchecked(f"goal {goal.id} was changed while it was checked: the verdicts are void.") from error
        return found, after

    async def _verify(self, goal: Goal, state: LoopState, notice: Notice) -> Verification:
        from asyncio import wait_for

        from telic.loop.verification.evidence import Work
        from telic.loop.verification.verifier import Verifier

        verifier = Verifier(workspace=notice.folder, judge=self.judge.judge(notice.folder))
        approvals, work = self.store.approvals(goal.id), Work(text=state.work)
        return await wait_for(
            verifier.verify(goal, work, approvals=approvals, on_verdict=self._heard.append), self.seconds
        )

    def _bill(self, goal: Goal, key: str) -> None:
        """What the judges consumed is billed though their verdicts are void; under keys, so that it is once."""
        from telic.loop.state_transitions import judged_lines

        for line in judged_lines(f"{key}/judge", self._heard):
            new = line.new
            self.store.record_turn(
                goal.id, usage=new.usage, kind=new.kind, model=new.model, key=line.key, is_estimate=new.is_estimate
            )


def _patiently(call: Callable[[], T]) -> T:
    """Return what the call gives, made again for some seconds while the store is away; it must be repeatable."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return call()
        except _PASSING:
            if time.monotonic() >= until:
                raise
            time.sleep(_PAUSE_SECONDS)
