"""What the doctor says of a server that could fail over to a replica."""

import psycopg

from telic.services.doctor import Level, examine


def test_a_replica_that_is_not_waited_for_is_warned_of(own_database: str) -> None:
    """A failover to it may lose what was acknowledged; without a replica there is no failover."""
    (alone,) = [finding for finding in examine(own_database) if finding.check == "failover"]
    assert alone.level is Level.OK
    with psycopg.connect(own_database, replication="true", autocommit=True):
        (beside,) = [finding for finding in examine(own_database) if finding.check == "failover"]
    assert beside.level is Level.WARNING
    assert beside.advice is not None
