"""What goes wrong with an agent and its workspace."""

from typing import TYPE_CHECKING

from telic.domain.errors.base import GoalError

if TYPE_CHECKING:
    from telic.domain.budget import ModelUsage


class AgentFailure(GoalError):
    """An agent's turn came to nothing. No turn was recorded; what `usage` names is to be billed all the same.

    `usage` is None where it is unknown, which is not 0; `usage_is_estimate` tells that some of it is missing.
    `session` continues the conversation where the agent named one. `output_tail` is the end of what the agent printed.
    With `is_outage` the network, or the agent's provider, was away: a loop waits for it instead of counting a failure.
    """

    code = "agent_failure"

    def __init__(
        self,
        message: str,
        *,
        output_tail: str = "",
        usage: "ModelUsage | None" = None,
        session: str | None = None,
        usage_is_estimate: bool = False,
        is_outage: bool = False,
    ) -> None:
        super().__init__(message)
        self.output_tail = output_tail
        self.usage = usage
        self.session = session
        self.usage_is_estimate = usage_is_estimate
        self.is_outage = is_outage


class AgentNotRunnable(AgentFailure):
    """The agent's command could not be started: it is not there, may not be executed, or has no working folder.

    Nothing ran; a retry fails alike until that is mended.
    """

    code = "agent_not_runnable"


class AgentPromptTooLarge(AgentFailure):
    """The prompt is larger than the system lets an argument be. Nothing ran; pass it on standard input."""

    code = "agent_prompt_too_large"


class AgentCostUnknown(AgentFailure):
    """The goal has a budget of money, and nobody knows what the turn's model costs. What it used is counted.

    A retry fails alike until the agent tells its cost, or a model that has a price.
    """

    code = "agent_cost_unknown"


class AgentExited(AgentFailure):
    """The agent's command ended with another code than 0, or a signal killed it; the message says which."""

    code = "agent_exited"


class AgentTimedOut(AgentFailure):
    """The agent did not end in time, and was killed with every process of its group."""

    code = "agent_timed_out"


class AgentSaidNothing(AgentFailure):
    """The agent's command ended well and printed nothing."""

    code = "agent_said_nothing"


class AgentOutputBroken(AgentFailure):
    """The agent printed what its format cannot mean: no JSON, no result, a negative count. Usage may be unknown."""

    code = "agent_output_broken"


class AgentTurnFailed(AgentFailure):
    """The agent itself says that its turn failed, as its provider was down or its own limit of steps was reached."""

    code = "agent_turn_failed"


class AgentConversationLost(AgentFailure):
    """The agent's conversation cannot be continued: it is full, or it is not there any more.

    The next turn begins a new one at once. Where the turn had begun a new one itself, it is a failure like others.
    """

    code = "agent_conversation_lost"


class WorkspaceMissing(GoalError):
    """The folder that a goal is worked on in is not there, or is none. Nothing was written; put it back first."""

    code = "workspace_missing"
