"""The processes of a test, and PostgreSQL's databases."""

from tests.crash.conftest import crew
from tests.postgres.conftest import database, own_database, shared_database

__all__ = ["crew", "database", "own_database", "shared_database"]
