"""An observed store keeps the whole contract: observation changes nothing that a caller sees."""

import pytest

from telic.testing.contract.estimates import *  # noqa: F403
from telic.testing.contract.goals import *  # noqa: F403
from telic.testing.contract.holds import *  # noqa: F403
from telic.testing.contract.leases import *  # noqa: F403
from telic.testing.contract.ledger import *  # noqa: F403
from telic.testing.contract.reports import *  # noqa: F403
from telic.testing.contract.transitions import *  # noqa: F403
from telic.testing.contract.waits import *  # noqa: F403

pytestmark = pytest.mark.long
