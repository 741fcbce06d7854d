"""What clients may occupy: described in production.ini."""

from typing import NamedTuple

# The part of the maximum of connections above which idle ones are closed.
NEARLY_FULL = 0.75


class Limits(NamedTuple):
    """Of a worker process; times in seconds."""

    connections: int
    #: Of one request's body.
    body_bytes: int
    #: Of all large bodies, of requests and responses.
    buffered_bytes: int
    header_seconds: float
    body_seconds: float
    response_seconds: float

    def excess(self, connections: int) -> int:
        """How many idle ones of so many connections are to be closed."""
        return max(0, connections - int(self.connections * NEARLY_FULL))
