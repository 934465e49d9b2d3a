# Generated from src/telic/store/asynchronous/goals.py: change that, then run `make generate`.

"""Creating, finding, defining and viewing goals."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from telic.domain.budget import BillingPolicy, Budget
from telic.domain.criteria import Criterion
from telic.domain.goal import DEFAULT_SCOPE, Actor, Goal, GoalStatus, Reason
from telic.domain.ids import check_id
from telic.domain.lifecycle import NamedActor, check_status
from telic.domain.limits import DEFAULT_MAX_CHARS, MAX_PAGE, check_choice, check_name
from telic.domain.views import GoalCounts, GoalOrder, GoalOverview, GoalPage, GoalPeek
from telic.storage.operations import goals, transitions, views
from telic.storage.operations.call import found
from telic.storage.operations.views import GoalFilter
from telic.storage.records import goal_from_row
from telic.storage.transaction import Mode
from telic.store.blocking.base import StoreBase, in_thread


class GoalMethods(StoreBase):
    """Creating, finding, defining and viewing goals."""

    def create(
        self,
        text: str,
        *,
        scope: str = DEFAULT_SCOPE,
        token_budget: int | None = None,
        budget: Budget | None = None,
        criteria: Sequence[Criterion] = (),
        billing: BillingPolicy | str = BillingPolicy.INPUT_AND_OUTPUT,
        max_chars: int = DEFAULT_MAX_CHARS,
        replace: bool | str = True,
        actor: Actor | NamedActor | str = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The scope's active goal is this new one; the former one is paused as superseded, atomically.

        `token_budget` is short for `Budget(tokens=…)` and may not be given with `budget`. `billing` says which of
        a model's tokens count, for good. `max_chars` is at most 20,000. With `replace` off no goal is paused for the
        new one; an id as `replace` lets that goal alone be paused. A call with a `key` that has already created this
        goal gives that goal as it stands.

        Raises:
            EmptyText, TextTooLong, InvalidText, InvalidNumber, InvalidInput: an argument is unusable.
            NotAllowed: the actor may not create goals, or a model would replace an unfinished one.
            WouldReplace: another goal is active, which `replace` does not let be paused.
            KeyConflict: the key has created another goal in this scope.
        """
        new = self._context.new_goal(text, scope, token_budget, budget, criteria, max_chars, billing)
        call = self._context.call(actor, key, replace=replace)
        return self.run("create", lambda tx: goals.create(tx, call, new), Mode.SINGLE, call.key)

    def get(self, goal_id: str) -> Goal:
        """The goal with this id.

        Raises:
            GoalNotFound: there is none.
        """
        return found(self.read_one("get", "goals.get", {"id": check_id(goal_id)}), goal_id)

    def find(self, prefix: str) -> Goal:
        """The one goal whose id begins, or else ends, with these 8 or more characters, as a person types them.

        Raises:
            GoalNotFound, AmbiguousId: there is none, or there are several.
            InvalidText: the text is too short, or no part of an id.
        """
        return self.run("find", lambda tx: goals.find(tx, prefix), Mode.READ)

    def active(self, scope: str = DEFAULT_SCOPE) -> Goal | None:
        """The scope's active goal, or None."""
        row = self.read_one("active", "goals.active", {"scope": check_name("scope", scope)})
        return None if row is None else goal_from_row(row)

    def list(
        self,
        *,
        scope: str | None = None,
        status: GoalStatus | str | None = None,
        reason: Reason | str | None = None,
        text: str | None = None,
        worker: str | None = None,
        order: GoalOrder | str = GoalOrder.NEWEST,
        cursor: str | None = None,
        limit: int = 50,
    ) -> GoalPage:
        """Return one page of at most `limit` (1 to 1,000) goals that match all filters, with who drives each.

        `text` is found anywhere in a goal's text; ASCII letters match in either case. The `worker` drives the goal now.
        `cursor` is the `next_cursor` of the page before. What no index finds (a text, a reason, a worker, the order
        `changed`) is looked for in 20,000 goals (of order `changed`: 5,000 events) at a time: a page that found fewer
        than `limit` in them is cut short, and its `next_cursor` looks further. `iterate` reads all pages.

        Raises:
            InvalidCursor: another listing made the cursor.
            InvalidText, InvalidNumber, InvalidInput: an argument is unusable.
        """
        wanted = GoalFilter(
            scope=scope,
            status=None if status is None else check_status(status),
            reason=None if reason is None else check_choice(Reason, "the reason", reason),
            text=text,
            worker=worker,
            order=check_choice(GoalOrder, "the order", order),
            cursor=cursor,
            limit=limit,
        )
        return self.run("list", lambda tx: views.list_goals(tx, wanted), Mode.READ)

    def iterate(
        self,
        *,
        scope: str | None = None,
        status: GoalStatus | str | None = None,
        reason: Reason | str | None = None,
        text: str | None = None,
        worker: str | None = None,
        order: GoalOrder | str = GoalOrder.NEWEST,
    ) -> Iterator[Goal]:
        """Iterate over all goals that match, page after page; each page is as of its own moment.

        Goals that are created meanwhile come last with order `oldest`, and otherwise not at all. With order
        `changed`, a goal that changes meanwhile may be left out.

        Raises:
            InvalidText, InvalidNumber, InvalidInput: an argument is unusable.
        """
        listed = partial(self.list, scope=scope, status=status, reason=reason, text=text, worker=worker, order=order)
        cursor = None
        while True:
            page = listed(cursor=cursor, limit=MAX_PAGE)
            yield from page
            cursor = page.next_cursor
            if cursor is None:
                return

    def edit(
        self,
        goal_id: str,
        *,
        text: str | None = None,
        criteria: Sequence[Criterion] | None = None,
        max_chars: int = DEFAULT_MAX_CHARS,
        expected_revision: int | None = None,
        actor: Actor | NamedActor | str = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The unfinished goal has this text and these criteria; what is None stays. Usage is kept.

        Raises:
            GoalNotFound, StaleUpdate, NotAllowed, KeyConflict, InvalidInput: nothing changed.
        """
        call = self._context.call(actor, key, expected_revision)
        edit = partial(transitions.edit, text=text, criteria=criteria, max_chars=max_chars)
        return self.run("edit", lambda tx: edit(tx, call, goal_id), Mode.ATOMIC, call.key)

    def set_budget(
        self,
        goal_id: str,
        budget: Budget,
        *,
        expected_revision: int | None = None,
        actor: Actor | NamedActor | str = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The unfinished goal has exactly this budget; an active one that has used it up is paused.

        Raises:
            GoalNotFound, StaleUpdate, NotAllowed, KeyConflict, InvalidInput: nothing changed.
        """
        call = self._context.call(actor, key, expected_revision)
        new = partial(transitions.set_budget, call=call, goal_id=goal_id, budget=budget)
        return self.run("set_budget", new, Mode.ATOMIC, call.key)

    def secret(self) -> bytes:
        """The store's own 32 random bytes, made with it: what the boundaries of prompts are derived from."""
        return self.run("secret", goals.secret, Mode.READ)

    def count(self, *, scope: str | None = None) -> GoalCounts:
        """Return how many goals there are by status, in one scope or in all, each up to 10,000."""
        return self.run("count", lambda tx: views.count(tx, scope), Mode.READ)

    def peek(self, goal_id: str) -> GoalPeek:
        """Return the goal with who drives it and its open holds: if these are the same, so is its overview.

        Raises:
            GoalNotFound: there is no goal with this id.
        """
        return self.run("peek", lambda tx: views.peek(tx, check_id(goal_id)), Mode.READ)

    def overview(self, goal_id: str) -> GoalOverview:
        """The goal with its latest events, verdicts, holds and the course of its usage, as of one moment.

        Raises:
            GoalNotFound: there is no goal with this id.
        """
        return self.run("overview", lambda tx: views.overview(tx, goal_id), Mode.READ)

    def backup(self, path: str | Path, *, overwrite: bool = False, verify: bool = True) -> Path:
        """The path of the file, which holds the whole store as it was at some moment since, also while others write.

        It is checked as by `telic doctor` before it bears its name, is private (0600), and survives a power cut from
        then on. A file that is there is replaced only with `overwrite`. To restore it, close every store on the
        former file, and put the backup in its place. PostgreSQL has tools of its own, which the error names.

        Raises:
            InvalidInput: the path cannot be written to, is taken, or is a store in use; or the store is no file.
            StoreCorrupt: the copy is not sound, as the store is not; nothing was kept. `verify=False` keeps it.
            StoreFull, StoreUnavailable: nothing was kept.
        """
        # Few programs make backups, and what examines one takes long to load.
        from telic.store.doctor import back_up

        return in_thread(partial(back_up, self._driver, path, overwrite=overwrite, verify=verify))
