"""Every error that Telic raises, by name; `GoalError` is the root of all.

Each says what happened, whether anything was written, and whether a retry is safe. `code` is stable across releases.
"""

from telic.domain.errors import *
from telic.domain.errors import __all__ as __all__
