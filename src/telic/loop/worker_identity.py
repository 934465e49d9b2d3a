"""The name under which a process drives goals, and what becomes of goals whose driver has died."""

import asyncio
import os
import re
import signal
import socket
import uuid
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from telic.domain.errors import LeaseHeld, LeaseLost
from telic.domain.lease import Lease
from telic.loop.agents.process_group import group_lives, groups_started_with, process_lives, signal_group
from telic.store.async_store import AsyncGoalStore

_NAME: Final = re.compile(r"(.*):([1-9][0-9]{0,9}):([0-9a-f]{12})")
_HOST_CHARS: Final = 100
_NAPS: Final = 100
_NAP_SECONDS: Final = 0.02


def own_name() -> str:
    """`host:process:machine`: no other process bears it, until its number comes again on the same started machine."""
    return f"{socket.gethostname()[:_HOST_CHARS]}:{os.getpid()}:{_machine()}"


def _machine() -> str:
    """Tells machines, their starts, and containers with processes of their own apart."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return sha256(f"{boot} {Path('/proc/self/ns/pid').readlink()}".encode()).hexdigest()[:12]
    except OSError:
        return f"{uuid.getnode():012x}"


def is_gone(holder: str | None) -> bool:
    """Whether it is known that the process of this name has ended; of other machines nothing is known."""
    match = _NAME.fullmatch(holder or "")
    if match is None or (match[1], match[3]) != (socket.gethostname()[:_HOST_CHARS], _machine()):
        return False
    return not process_lives(int(match[2]))


async def _end_left_agents(goal_id: str) -> None:
    """No agent works on the goal that a process of this machine has left behind when it was killed.

    Its keeper ends it too, but lets it take its time, which only a lease that has to expire leaves.
    """
    groups = await asyncio.to_thread(groups_started_with, {"TELIC_GOAL_ID": goal_id})
    for number in (signal.SIGTERM, signal.SIGKILL) if groups else ():
        for group in groups:
            signal_group(group, number)
        await _until_gone(groups)


async def _until_gone(groups: Sequence[int]) -> None:
    for _ in range(_NAPS):
        if not any(group_lives(group) for group in groups):
            return
        await asyncio.sleep(_NAP_SECONDS)


async def claim_for_loop(store: AsyncGoalStore, goal_id: str, *, holder: str, ttl_seconds: float) -> Lease:
    """As `AsyncGoalStore.claim`, without waiting for the lease of a process of this machine that has died.

    Raises:
        LeaseHeld, GoalNotActive, GoalNotFound, StoreError: as they say.
    """
    try:
        return await store.claim(goal_id, holder=holder, ttl_seconds=ttl_seconds)
    except LeaseHeld as held:
        if held.holder is None or not is_gone(held.holder):
            raise
        # A holder is granted its own lease anew: so the dead one's can be given back.
        left = await store.claim(goal_id, holder=held.holder, ttl_seconds=ttl_seconds)
        await _end_left_agents(goal_id)
    with suppress(LeaseLost):
        await store.release_lease(left)
    return await store.claim(goal_id, holder=holder, ttl_seconds=ttl_seconds)
