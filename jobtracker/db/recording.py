"""What triggers record: activity and steps of jobs."""

import contextlib
from collections.abc import Iterator

from jobtracker.db.connections import SupportsExecute

# So that Citus passes the other one on to the shards.
_PROPAGATE = "SET LOCAL citus.propagate_set_commands = 'local'"
_SET_IMPORTING = "SET LOCAL jobtracker.importing = '{}'"


@contextlib.contextmanager
def recording_disabled(connection: SupportsExecute) -> Iterator[None]:
    """Let triggers record nothing of what the transaction writes in the block."""
    connection.execute(_PROPAGATE)
    connection.execute(_SET_IMPORTING.format("on"))
    yield
    connection.execute(_SET_IMPORTING.format("off"))
