"""Recording of audit entries: where and when is in docs/decisions/audit.md.

An entry is inserted in the transaction of what it tells. A change at Cognito has none: its entry is
inserted before the change, where the user is known, and committed after it, so that nothing is
changed that cannot be recorded.
"""

import contextlib
import functools
import hmac
import logging
from collections.abc import Callable, Iterator

from pyramid.request import Request

from jobtracker.audit import queries
from jobtracker.audit.models import AuditKind
from jobtracker.audit.queries import Event
from jobtracker.db import signing_keys
from jobtracker.db.connections import SupportsExecute, autocommit, release_autocommit
from jobtracker.errors import DATABASE_ERRORS, ApiError
from jobtracker.http.rate_limits import client_network
from jobtracker.logs.outages import log_outage

log = logging.getLogger(__name__)

# The name of the key of the hashes.
KEY_NAME = "audit"
HASH_BYTES = 16

# The codes of errors whose cause is a wrong password or code.
WRONG = ("WRONG_PASSWORD", "CODE_MISMATCH", "EXPIRED_CODE")

#: Finds the user of a failed attempt; None if there is none.
FindUser = Callable[[SupportsExecute], int | None]


def record(
    request: Request,
    connection: SupportsExecute,
    kind: AuditKind,
    user_id: int,
    origin_jti: str = "",
) -> None:
    """Record an event of a user, in the connection's transaction.

    :param origin_jti: of the session; empty for none
    """
    queries.record(connection, user_id, _event(request, kind, origin_jti))


def record_of_account(
    request: Request, connection: SupportsExecute, kind: AuditKind, email: str
) -> None:
    """Record an event of an account before its first sign-in, in the connection's transaction."""
    account_hash = keyed_hash(request, "account", email)
    queries.record_of_account(connection, account_hash, _event(request, kind))


def move_to_user(request: Request, connection: SupportsExecute, email: str, user_id: int) -> None:
    """Move what was recorded of an account before its sign-in to its user."""
    queries.move_to_user(connection, keyed_hash(request, "account", email), user_id)


def record_failure(
    request: Request, kind: AuditKind, find_user: FindUser, origin_jti: str = ""
) -> None:
    """Record a failed attempt, once the response is made and the transaction rolled back.

    An error of the database changes nothing about the response: nothing was changed that would have
    to be recorded.
    """
    write = functools.partial(_record_failure, kind, find_user, origin_jti)
    request.add_response_callback(lambda request, _response: write(request))


@contextlib.contextmanager
def record_failures(
    request: Request, kind: AuditKind, user_id: int, origin_jti: str
) -> Iterator[None]:
    """Record as a failed attempt of a user what raises the ApiError of a wrong password or code."""
    try:
        yield
    except ApiError as error:
        if (error.details or {}).get("code") in WRONG:
            record_failure(request, kind, lambda _connection: user_id, origin_jti)
        raise


def _record_failure(
    kind: AuditKind, find_user: FindUser, origin_jti: str, request: Request
) -> None:
    try:
        event = _event(request, kind, origin_jti)
        release_autocommit(request)
        with autocommit(request.registry) as connection:
            queries.record_failure(connection, find_user(connection), event)
    except DATABASE_ERRORS as error:
        reason = "Audit: %s is not recorded: %s"
        log_outage(log, "database", reason, kind, type(error).__name__)


def _event(request: Request, kind: AuditKind, origin_jti: str = "") -> Event:
    client_hash = keyed_hash(request, "client", client_network(request))
    request_id = request.environ.get("jobtracker.request_id")
    return Event(kind, request_id, client_hash, session_hash(request, origin_jti))


def session_hash(request: Request, origin_jti: str) -> bytes | None:
    """The hash of a session; None for none."""
    return keyed_hash(request, "session", origin_jti) if origin_jti else None


def keyed_hash(request: Request, name: str, value: str) -> bytes:
    """The HMAC of a value with the key of the audit, another one for each name."""
    return hmac.digest(_key(request), f"{name} {value}".encode(), "sha256")[:HASH_BYTES]


def _key(request: Request) -> bytes:
    """The key, which each process reads on first use."""
    registry = request.registry
    if "audit_key" not in registry:
        release_autocommit(request)
        with autocommit(registry) as connection:
            registry["audit_key"] = signing_keys.find_or_make(connection, KEY_NAME)
    key: bytes = registry["audit_key"]
    return key
