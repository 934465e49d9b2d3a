"""What the doctor says of a server that could fail over to a replica."""

import psycopg

import telic
from telic.store.doctor import Level, examine
from tests.support.postgres_server import running_server


def test_a_replica_that_is_not_waited_for_is_warned_of(own_database: str) -> None:
    """A failover to it may lose what was acknowledged; without a replica there is no failover."""
    (alone,) = [finding for finding in examine(own_database) if finding.check == "failover"]
    assert alone.level is Level.OK
    with psycopg.connect(own_database, replication="true", autocommit=True):
        (beside,) = [finding for finding in examine(own_database) if finding.check == "failover"]
    assert beside.level is Level.WARNING
    assert beside.advice is not None


def test_a_history_that_was_cut_is_told() -> None:
    """A recovery to an earlier moment ends one timeline of the server and begins the next, as a failover does."""
    with running_server({"restore_command": "false"}) as server:
        telic.connect(server.url()).close()
        (before,) = [finding for finding in examine(server.url()) if finding.check == "history of the server"]
        assert before.message == "never cut"
        server.stop()
        (server.folder / "data" / "recovery.signal").touch()
        server.start()
        server.wait_until_it_writes()
        (after,) = [finding for finding in examine(server.url()) if finding.check == "history of the server"]
    assert after.message.startswith("cut 1 time(s)")
