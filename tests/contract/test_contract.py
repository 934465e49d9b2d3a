"""The contract suite on all four stores."""

from telic.testing.contract.estimates import *  # noqa: F403
from telic.testing.contract.goals import *  # noqa: F403
from telic.testing.contract.holds import *  # noqa: F403
from telic.testing.contract.leases import *  # noqa: F403
from telic.testing.contract.ledger import *  # noqa: F403
from telic.testing.contract.reports import *  # noqa: F403
from telic.testing.contract.transitions import *  # noqa: F403
from telic.testing.contract.verdicts import *  # noqa: F403
from telic.testing.contract.views import *  # noqa: F403
from telic.testing.contract.waits import *  # noqa: F403
