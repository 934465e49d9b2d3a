"""Every error that Telic raises, by name; `GoalError` is the root of all.

Each says what happened, whether anything was written, and whether a retry is safe. `code` is stable across releases.
"""

from telic.domain import errors as _errors
from telic.domain.errors import *

__all__ = _errors.__all__
