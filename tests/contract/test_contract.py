"""The contract suite on all four stores."""

from telic.testing.contract.goals import *  # noqa: F403
from telic.testing.contract.ledger import *  # noqa: F403
from telic.testing.contract.reports import *  # noqa: F403
from telic.testing.contract.sharing import *  # noqa: F403
from telic.testing.contract.transitions import *  # noqa: F403
