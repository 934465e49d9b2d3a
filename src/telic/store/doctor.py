"""A whole store examined, and backed up: damage, schema, durability, file safety, and every goal's history.

A backup is whole and checked, and there only once it is both.
"""

import errno
import glob
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Final

from telic.domain.clock import MICRO
from telic.domain.decision import LoopPolicy
from telic.domain.errors import GoalError, InvalidInput, StoreCorrupt, StoreError, StoreFull, StoreUnavailable
from telic.domain.report import Finding, Level
from telic.storage.connect import open_driver
from telic.storage.operations import loop, transfer
from telic.storage.transaction import SIDE_FILES, AsyncDriver, Driver, Mode, OpenOptions
from telic.store.blocking.base import StoreBase
from telic.store.context import Context

__all__ = ["Finding", "Level", "back_up", "examine", "examine_store"]

_DATABASE_MAGIC: Final = b"SQLite format 3\0"
_MOST_SHOWN: Final = 20
_READINGS: Final = 3
_ADVICE: Final = (
    "The database was edited by other means or is damaged: restore a backup, or accept the loss and export."
)


def goal_ids(store: StoreBase) -> Iterator[str]:
    """Yield the id of every goal in the store, oldest first."""
    after = 0
    while page := store.run("goal_ids", partial(transfer.ids, after=after), Mode.READ):
        yield from (goal_id for _, goal_id in page)
        after = page[-1][0]


def examine(location: str | Path) -> list[Finding]:
    """Return the findings on the store at the location; one that cannot be opened is a finding too."""
    try:
        # Not by `connect`: a backup is examined too, and stores make backups.
        with closing(open_driver(location, OpenOptions(create=False))) as driver:
            return examine_store(StoreBase(driver, Context()))
    except StoreError as error:
        return [Finding("opening", Level.PROBLEM, str(error), "Mend what the message names, then run this again.")]


def examine_store(store: StoreBase) -> list[Finding]:
    """Return the findings on an open store."""
    try:
        found = store._driver.inspect()
    except StoreError as error:
        found = [Finding("integrity", Level.PROBLEM, str(error), _advice(error))]
    return [*found, *_examine_histories(store), *_asleep(store)]


def _advice(error: GoalError) -> str:
    # A store that cannot be read now is not damaged for that.
    if isinstance(error, StoreFull):
        return "Make room, then run this again."
    if error.retryable:
        return "Run this again when the store can be reached."
    return _ADVICE


def _examine_histories(store: StoreBase) -> list[Finding]:
    wrong: list[str] = []
    count = 0
    try:
        for goal_id in goal_ids(store):
            count += 1
            wrong += _problems(store, goal_id)
        wrong += [
            f"{line} has no goal" for line in store.run("lines_without_goal", transfer.lines_without_goal, Mode.READ)
        ]
    except StoreError as error:
        return [Finding("history", Level.PROBLEM, str(error), _advice(error))]
    found = [Finding("history", Level.PROBLEM, message, _ADVICE) for message in wrong[:_MOST_SHOWN]]
    if len(wrong) > _MOST_SHOWN:
        found.append(Finding("history", Level.PROBLEM, f"and {len(wrong) - _MOST_SHOWN} more", _ADVICE))
    return found or [Finding("history", Level.OK, f"{count} goals: every chain, sum and state holds")]


def _asleep(store: StoreBase) -> list[Finding]:
    operation = partial(loop.kept_while_asleep, longest_pause=LoopPolicy().longest_pause)
    try:
        kept = store.run("kept_while_asleep", operation, Mode.READ)
    except StoreError as error:
        return [Finding("workers", Level.PROBLEM, str(error), _advice(error))]
    return [
        Finding(
            "workers",
            Level.WARNING,
            f"goal {goal_id} is kept by {worker}, whose next step is due in {left // MICRO:,} s only",
            "Its clock was wrong, or it is of an older release: stop that worker, and any other goes on at once.",
        )
        for goal_id, worker, left in kept[:_MOST_SHOWN]
    ]


def _problems(store: StoreBase, goal_id: str) -> list[str]:
    # Read more than once: the goal may have changed between its row and its lines.
    wrong: list[str] = []
    for _ in range(_READINGS):
        try:
            stored = store.run("read", partial(transfer.read, goal_id=goal_id), Mode.READ)
            wrong = transfer.problems(stored)
        except GoalError as error:
            wrong = [str(error) if goal_id in str(error) else f"goal {goal_id}: {error}"]
        if not wrong:
            return []
    return wrong


def back_up(driver: Driver | AsyncDriver, path: str | Path, *, overwrite: bool, verify: bool) -> Path:
    """Return the path of the backup, which is on disk. See `GoalStore.backup`."""
    target = _target(path, overwrite)
    part = target.with_name(f"{target.name}.{os.urandom(4).hex()}.part")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        driver.copy_into(part)
        if verify:
            _verify(part)
        _put_in_place(part, target, overwrite)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(f"there is no room for the backup {target}") from error
        raise StoreUnavailable(f"the backup {target} cannot be written: {error.strerror}") from error
    finally:
        # With what the checking made beside it.
        for left in part.parent.glob(f"{glob.escape(part.name)}*"):
            with suppress(OSError):
                left.unlink()
    return target


def _target(path: str | Path, overwrite: bool) -> Path:
    if not str(path) or "\0" in str(path) or "://" in str(path):
        raise InvalidInput("a backup is a file: name its path")
    try:
        target = Path(path).parent.resolve(strict=True) / Path(path).name
    except OSError as error:
        raise InvalidInput(f"the folder of {str(path)!a} is not there") from error
    if target.is_dir():
        raise InvalidInput(f"{str(target)!a} is a folder")
    if any(Path(f"{target}{side}").exists() for side in SIDE_FILES):
        raise InvalidInput(f"{str(target)!a} is a store in use: it has a file beside it that says so")
    if target.is_symlink() or (os.path.lexists(target) and not overwrite):
        raise _taken(target)
    if os.path.lexists(target) and not _holds_database(target):
        raise InvalidInput(f"{str(target)!a} is no backup, and is not replaced: name another file, or remove it")
    return target


def _holds_database(target: Path) -> bool:
    # Or an empty file, but neither a device, a pipe, nor anybody's text.
    if not target.is_file():
        return False
    with target.open("rb") as file:
        return file.read(len(_DATABASE_MAGIC)) in (_DATABASE_MAGIC, b"")


def _taken(target: Path) -> InvalidInput:
    return InvalidInput(f"{str(target)!a} is already there; to replace a backup must be asked for (--overwrite)")


def _verify(part: Path) -> None:
    found = [each for each in examine(part) if each.level is Level.PROBLEM]
    if found and found[0].check == "opening":
        raise InvalidInput(f"the backup cannot be checked there: {found[0].message}")
    if found:
        raise StoreCorrupt(f"the backup would not be sound, and was not kept: {found[0].message}")


def _put_in_place(part: Path, target: Path, overwrite: bool) -> None:
    _sync(part, os.O_RDWR)
    if overwrite:
        part.replace(target)
    else:
        try:
            # Unlike a renaming, it never replaces what somebody else has put there meanwhile.
            target.hardlink_to(part)
        except FileExistsError:
            raise _taken(target) from None
        part.unlink()
    _sync(target.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
