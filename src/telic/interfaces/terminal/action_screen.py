"""Actions on the goal that a screen shows: each asks first, and is guarded by the revision that was shown."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from telic.domain.budget import Budget, exhausted_limit
from telic.domain.errors import GoalError, InvalidNumber, StoreError, StoreMoved, WouldReplace
from telic.domain.goal import Actor, Goal
from telic.domain.ids import short_ids
from telic.domain.lifecycle import NamedActor
from telic.domain.views import CriterionStanding, larger_limits
from telic.interfaces.terminal.dialogs import Choice, Confirmation, Question
from telic.interfaces.terminal.formatting import literal, refusal, standing
from telic.services.actions import DONE, ActionRequest, GoalAction, answerable, execute, why_unfit
from telic.wording.amounts import first_words, parse_budget, write_limit

if TYPE_CHECKING:
    from telic.interfaces.terminal.live import Live

_READ_ONLY: Final = "read-only: telic top --allow-write may change goals"


class ScreenHost(Protocol):
    """The application, as its screens see it."""

    live: "Live"
    operator: str | None


Standings = Sequence[CriterionStanding]


class ActingScreen(Screen[None]):
    """A screen that shows goals, one of them chosen, with a line that says what became of things."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "operate('pause')", "pause"),
        Binding("r", "operate('resume')", "resume"),
        Binding("b", "operate('budget')", "budget"),
        Binding("c", "operate('clear')", "clear"),
    ]

    def __init__(self, host: ScreenHost) -> None:
        super().__init__()
        self.host = host
        self._message: Content | None = None
        self._standing_line = Static(id="standing")

    def compose_foot(self) -> ComposeResult:
        """Return the line of outcomes, and the keys."""
        yield self._standing_line
        yield Footer(show_command_palette=False, compact=True)

    @property
    def chosen(self) -> Goal | None:
        """Return the goal that is acted on, as it is shown; None where none is."""
        return None

    @property
    def shown_checks(self) -> Sequence[CriterionStanding]:
        """Its criteria, where the screen shows them."""
        return ()

    @property
    def ordinary_line(self) -> str:
        """Return the line's text when nothing else is to be said."""
        return ""

    async def look(self) -> None:
        """The screen shows what the store has.

        Raises:
            StoreError: it does not answer.
        """

    def show_line(self) -> None:
        """Show on the line an outage, else the last message, else the ordinary line."""
        outage = self.host.live.outage
        if outage is not None:
            is_away = isinstance(outage, StoreError)
            text = f"the store does not answer, and is asked again: {outage}" if is_away else str(outage)
            self._standing_line.update(Content.styled(literal(text), "$text-error"))
        else:
            self._standing_line.update(self._message or Content.styled(literal(self.ordinary_line), "$text-muted"))

    def tell(self, text: str, *, is_problem: bool = False) -> None:
        """The line says the text until something else is done."""
        style = "$text-error" if is_problem else "$text-success"
        self._message = Content.styled(literal(text), style) if text else None
        self.show_line()

    def look_soon(self) -> None:
        """The screen is looked at now, whatever else goes on."""
        self.run_worker(self._look_now(), group="look", exclusive=True)

    async def _look_now(self) -> None:
        await self.host.live.attempt(self.look)
        self.show_line()

    def action_operate(self, name: str) -> None:
        """Ask the operator, and then do the action; without a yes nothing is done."""
        action, goal, operator = GoalAction(name), self.chosen, self.host.operator
        if operator is None:
            self.tell(_READ_ONLY, is_problem=True)
        elif goal is None:
            self.tell("no goal is chosen", is_problem=True)
        elif (why := why_unfit(action, goal, self.shown_checks)) is not None:
            self.tell(f"not done: {why}", is_problem=True)
        else:
            self.tell("")
            self.run_worker(self._operate(action, goal, operator, self.shown_checks), group="operate", exclusive=True)

    async def _operate(self, action: GoalAction, goal: Goal, operator: str, checks: Standings) -> None:
        given = await self._ask(action, goal, checks)
        if given is None:
            return
        live = self.host.live
        self.tell(f"{action}: the store is asked")
        try:
            request = ActionRequest(
                action=action,
                actor=NamedActor(Actor.OPERATOR, operator, "top"),
                goal=goal,
                # As the screen showed it: nobody agreed to what has happened since.
                expected_revision=goal.revision,
                **given,
            )
            if await self._execute(request):
                self.tell(f"{short_ids([goal.id])[0]} {DONE[action]}")
        except GoalError as error:
            self.tell(refusal(error), is_problem=True)
            if isinstance(error, StoreMoved):
                live.outage = error
        await self._look_now()

    async def _execute(self, request: ActionRequest) -> bool:
        """Return whether it was done; whether another goal may be paused for it is asked first."""
        try:
            await self.host.live.ask(lambda store: execute(store, request))
        except WouldReplace as error:
            driven = "nobody drives it" if error.worker is None else f"driven by {error.worker}"
            lines = [*_about("Pause", error.goal), "", f"It is active, and {driven}. Pause it, and resume the other?"]
            if not await self.app.push_screen_wait(Confirmation(lines)):
                self.tell("nothing was done")
                return False
            # Only that goal: another that became active meanwhile is asked about again.
            agreed = replace(request, replace=error.goal.id)
            await self.host.live.ask(lambda store: execute(store, agreed))
        return True

    async def _ask(self, action: GoalAction, goal: Goal, checks: Standings) -> dict[str, Any] | None:
        """Return what the operator says about the action, by the request's fields; None where they leave it."""
        match action:
            case GoalAction.CLEAR:
                lines = [*_about("Clear", goal), "", "A cleared goal never becomes active again. Its history stays."]
                return {} if await self.app.push_screen_wait(Confirmation(lines)) else None
            case GoalAction.RESUME if exhausted_limit(goal.usage, goal.budget) is not None:
                return await self._ask_budget("Resume, with a larger budget:", goal)
            case GoalAction.SET_BUDGET:
                return await self._ask_budget("Set the budget of", goal)
            case GoalAction.APPROVE | GoalAction.REJECT:
                return await self._ask_answer(action, goal, answerable(checks))
            case _:
                return await self._ask_note(action, goal)

    async def _ask_note(self, action: GoalAction, goal: Goal, more: Sequence[str] = ()) -> dict[str, Any] | None:
        lines = [*_about(action.capitalize(), goal), *more]
        note = await self.app.push_screen_wait(Question(lines, "Note, if any:"))
        return None if note is None else {"note": note or None}

    async def _ask_budget(self, first: str, goal: Goal) -> dict[str, Any] | None:
        typed = await self.app.push_screen_wait(
            Question(
                _about(first, goal),
                "Limits, what is not named stays: 4M 40turns $5 90m, or none",
                " ".join(write_limit(*each) for each in larger_limits(goal, at_least_one=True).items()),
                _budget_reader(goal),
                most_chars=200,
            )
        )
        return None if typed is None else {"budget": _budget_reader(goal)(typed)}

    async def _ask_answer(self, action: GoalAction, goal: Goal, asked: Standings) -> dict[str, Any] | None:
        titles = [f"{check.number}. {check.criterion.question}" for check in asked]
        place: int | None = 0
        if len(asked) > 1:
            place = await self.app.push_screen_wait(Choice(f"Which one do you {action}?", titles))
        if place is None:
            return None
        said = await self._ask_note(action, goal, [titles[place]])
        return None if said is None else {"criterion": asked[place].number - 1, **said}


def _about(first: str, goal: Goal) -> list[str]:
    return [f"{first} {short_ids([goal.id])[0]}: {standing(goal)}, revision {goal.revision}", first_words(goal.text)]


def _budget_reader(goal: Goal) -> Callable[[str], Budget]:
    def read(typed: str) -> Budget:
        if not typed.split():
            raise InvalidNumber("write a limit, or none to lift all")
        return parse_budget(tuple(typed.split()), goal.budget)

    return read
