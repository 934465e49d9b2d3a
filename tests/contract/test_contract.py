"""The contract suite on all four stores."""

from telic.testing.contract.goals import *  # noqa: F403
