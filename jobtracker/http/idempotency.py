"""Safe retries: ``Idempotency-Key`` on POST.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/

The response is stored in the transaction of the effect. A request with the same key and body within
a day gets the stored response and has no effect.
"""

import contextlib
import datetime
import functools
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response
from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, LargeBinary, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import NOW, Base, timestamp
from jobtracker.db.connections import SupportsExecute, autocommit, try_lock
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.statements import Command, Statement, columns_of, new_parameters, new_values
from jobtracker.errors import BadRequest, Conflict, ValidationFailed, http_exception
from jobtracker.http.links import RelativeLocationResponse
from jobtracker.quotas import QuotaExceeded

HEADER = "Idempotency-Key"
KEY = "^[\\x21-\\x7e]{1,255}$"
# How long a response is stored.
TTL = datetime.timedelta(hours=24)

View = Callable[[Request], Any]


class IdempotencyRecord(Base):
    """The stored response of a POST with a key.

    Key and request are stored as hashes; the request's is keyed with the key, so that passwords in
    it cannot be guessed from the table.
    """

    __tablename__ = "idempotent_answers"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        Index(None, "created_at"),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    location: Mapped[str | None]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime.datetime] = timestamp()


class RecordRow(NamedTuple):
    user_id: int
    key_hash: bytes
    request_hash: bytes
    status: int
    location: str | None
    body: bytes

    def response(self) -> RelativeLocationResponse:
        response = RelativeLocationResponse(
            self.body, self.status, content_type="application/json", charset="utf-8"
        )
        response.location = self.location
        return response


_FIND = Statement(
    select(*columns_of(IdempotencyRecord, RecordRow)).where(
        IdempotencyRecord.user_id == bindparam("user_id"),
        IdempotencyRecord.key_hash == bindparam("key_hash"),
        IdempotencyRecord.created_at > NOW - TTL,
    ),
    RecordRow,
)
# Without a lock: concurrent requests can exceed the quota by their number.
_COUNT = select(func.count()).where(IdempotencyRecord.user_id == bindparam("new_user_id"))
_HAS_ROOM = _COUNT.scalar_subquery() < bindparam("quota", type_=BigInteger)
_VALUES = new_values(IdempotencyRecord, RecordRow._fields)
_NEW = insert(IdempotencyRecord.__table__).from_select(
    list(_VALUES), select(*_VALUES.values()).where(_HAS_ROOM), include_defaults=False
)
_STORE = Command(
    _NEW.on_conflict_do_update(  # an expired one
        index_elements=["user_id", "key_hash"],
        set_={name: _NEW.excluded[name] for name in (*RecordRow._fields, "created_at")},
    )
)
EXPIRED = ExpiredRows(IdempotencyRecord, IdempotencyRecord.created_at <= NOW - TTL)


def idempotent(view: View) -> View:
    """A view that has its effect once for each Idempotency-Key.

    :raises BadRequest: for an invalid key
    :raises Conflict: while the first request with the key is running
    :raises QuotaExceeded: when the user has the maximum number of stored responses
    :raises ValidationFailed: when the key was used for another request
    """

    @functools.wraps(view)
    def wrapped(request: Request) -> Any:
        key = request.headers.get(HEADER)
        if key is None:
            return view(request)
        user_id = request.identity.id
        if not re.fullmatch(KEY, key):
            raise BadRequest(f"{HEADER} must be 1 to 255 visible ASCII characters.")
        key_hash, request_hash = _hashes(request, user_id, key)
        identifiers = {"user_id": user_id, "key_hash": key_hash}
        # Without the lock at first: repetitions of a finished request do not conflict.
        record = _FIND.first(request.connection, **identifiers)
        if record is None:
            if not _lock(request.connection, key_hash):
                message = "The first request with this key is not answered yet."
                raise Conflict(message, retry_after=1)
            record = _FIND.first(request.connection, **identifiers)
        if record is None:
            response = view(request)
            made = (response.status_code, response.location, response.body)
            record = RecordRow(user_id, key_hash, request_hash, *made)
            quota = request.registry.settings["quotas.idempotency_keys"]
            new = new_parameters(record._asdict())
            if not _STORE.execute(request.connection, quota=quota, **new):
                raise QuotaExceeded("idempotency_keys", quota)
        elif record.request_hash != request_hash:
            message = "Was used for another request."
            raise ValidationFailed.for_field("header", HEADER, message, "key_reused")
        return record.response()

    return wrapped


def not_found(error: HTTPNotFound, request: Request) -> Response:
    """The response of a path that leads to nothing: the stored one of the first request with the
    key, whose effect can be the reason, as of a restoration from the trash."""
    operation = request.operation
    if operation is None or not operation.idempotent:
        return http_exception(error, request)
    token = request.verified_token
    if token is not None and token.user_id:
        key = request.headers[HEADER]
        key_hash, request_hash = _hashes(request, token.user_id, key)
        with autocommit(request.registry) as connection:
            record = _FIND.first(connection, user_id=token.user_id, key_hash=key_hash)
        if record is not None and record.request_hash == request_hash:
            return record.response()
    return http_exception(error, request)


def _hashes(request: Request, user_id: int, key: str) -> tuple[bytes, bytes]:
    """Of the key, and of the request."""
    key_hash = hashlib.sha256(f"{user_id} {key}".encode()).digest()
    return key_hash, hmac.digest(key.encode(), _canonical(request), "sha256")


def _lock(connection: SupportsExecute, key_hash: bytes) -> bool:
    """Lock the key until the end of the transaction, unless a concurrent request has."""
    return try_lock(connection, int.from_bytes(key_hash[:8], signed=True))


def _canonical(request: Request) -> bytes:
    body = request.body
    with contextlib.suppress(ValueError, RecursionError):  # a body that the operation ignores
        body = json.dumps(json.loads(body), sort_keys=True).encode()  # without the layout
    target = request.environ["PATH_INFO"]
    if request.operation.query is not None and (query := request.environ["QUERY_STRING"]):
        target += f"?{query}"
    return f"{request.method} {target}\n".encode() + body


def includeme(config: Any) -> None:
    config.add_notfound_view(not_found, header=HEADER)
