"""Which server and database a store is in: its feed counts by that server's transactions, and so do cursors."""

from typing import Any, Final

import psycopg


def keep_place(connection: psycopg.Connection[Any]) -> None:
    """A database that was restored or copied from elsewhere has a new name, so that no cursor from there counts here.

    Its events carry that server's transactions' numbers: those that this one has not reached count as the oldest.
    """
    with connection.transaction():
        if connection.execute(_RENAME, {"place": _place(connection)}).rowcount:
            connection.execute(_COUNT_AS_OLDEST)


_RENAME: Final = b"""
WITH feed AS (
    SELECT coalesce((SELECT transaction_id FROM events ORDER BY transaction_id DESC LIMIT 1)
        >= pg_snapshot_xmax(pg_current_snapshot()), false) AS is_ahead
)
UPDATE store_identity SET place = %(place)s,
    id = CASE WHEN place = '' AND NOT is_ahead THEN id ELSE replace(gen_random_uuid()::text, '-', '') END
FROM feed WHERE place <> %(place)s OR is_ahead
"""
_COUNT_AS_OLDEST: Final = b"""
UPDATE events SET transaction_id = '1' WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())
"""


def _place(connection: psycopg.Connection[Any]) -> str:
    """The server and the database, as far as the user may know; a promoted replica is the same server."""
    database, may_ask = connection.execute(_DATABASE).fetchone() or ("", False)
    (server,) = (connection.execute(_SERVER).fetchone() if may_ask else None) or ("",)
    return f"{server}/{database}"


_DATABASE: Final = b"""
SELECT oid::text, has_function_privilege('pg_control_system()', 'execute')
FROM pg_database WHERE datname = current_database()
"""
_SERVER: Final = b"SELECT system_identifier::text FROM pg_control_system()"
