"""Who answers judges' questions at a hook: a model or a command of the configuration, or nobody."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from telic.domain.criteria import Criterion
from telic.domain.errors import InvalidInput

if TYPE_CHECKING:
    from telic.loop.verification.judge import Judge


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeChoice:
    """A model, named `provider:name`, or a command line, which is run in the project's folder without a shell.

    Raises:
        InvalidInput: both are named, or the command line cannot be read.
    """

    model: str | None = None
    command: str | None = None

    def __post_init__(self) -> None:
        if self.model and self.command:
            raise InvalidInput("name a model or a command as judge, not both")
        self._arguments()

    def judge(self, workspace: Path) -> "Judge | None":
        """The judge, or None where none was chosen.

        Raises:
            InvalidInput: the model cannot be used.
            MissingExtra: its library is not installed.
        """
        # Most stops ask nobody, and should not pay for importing it.
        if self.model:
            from telic.loop.verification.judge_model import ModelJudge

            return ModelJudge(self.model)
        arguments = self._arguments()
        if not arguments:
            return None
        from telic.loop.verification.commands import CommandJudge

        return CommandJudge(Criterion.judge("any question", argv=arguments), workspace)

    def _arguments(self) -> list[str]:
        try:
            return shlex.split(self.command or "")
        except ValueError as error:
            raise InvalidInput(f"the judge's command cannot be read: {error}") from None
