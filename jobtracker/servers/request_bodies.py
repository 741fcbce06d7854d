"""How much of a request's body the servers receive, and from whom."""

from jobtracker.errors import PayloadTooLarge
from jobtracker.http.service import Operation
from jobtracker.http.validation import MAX_PUBLIC_BODY_BYTES
from jobtracker.permissions import Permission

# Bytes of a body that are received from a client whose access token is not verified, and that are
# not counted: one connection cannot hold more.
UNVERIFIED_BYTES = MAX_PUBLIC_BODY_BYTES


def max_body_bytes(operation: Operation, length: int | None, server_limit: int) -> int:
    """The maximum size of a body.

    :param length: its Content-Length, None for a chunked one
    :raises PayloadTooLarge: for a length beyond the maximum
    """
    limit = min(operation.max_body_bytes, server_limit)
    if length is not None and length > limit:
        raise PayloadTooLarge
    return limit


def needs_authorization(operation: Operation, size: int) -> bool:
    """Whether the access token is verified before a body of up to this size is received."""
    return size > UNVERIFIED_BYTES and operation.permission is not Permission.PUBLIC
