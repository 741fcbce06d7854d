"""Safe retries: ``Idempotency-Key`` on a POST.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/

The answer is stored with the effect, in its transaction: either both are there or neither is.
Whoever asks again within a day, with the same key and body, is given that answer, and nothing is
done.
"""

import datetime
import functools
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from typing import Any

from pyramid.request import Request
from pyramid.response import Response
from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobtracker.db.base import NOW, Base, timestamp
from jobtracker.errors import BadRequest, Conflict, ValidationFailed
from jobtracker.renderer import json_dumps

HEADER = "Idempotency-Key"
KEY = "^[\\x21-\\x7e]{1,255}$"
# For how long an answer is given again.
TTL = datetime.timedelta(hours=24)
# Seconds after which it makes sense to ask for the answer of a request that still runs.
STILL_RUNNING_FOR = 1

Json = Callable[[Request], Any]


class IdempotencyRecord(Base):
    """The answer to a POST of a user that bore a key.

    Neither the key nor the request is kept, but hashes: the request's is keyed with the key, so
    that nobody can try out passwords on it.
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

    @classmethod
    def lock(cls, db: Session, key_hash: bytes) -> bool:
        """Whether nobody else is at the same key; until the transaction ends, nobody will be."""
        number = int.from_bytes(key_hash[:8], signed=True)
        return bool(db.scalar(select(func.pg_try_advisory_xact_lock(number))))

    @classmethod
    def find(cls, db: Session, user_id: int, key_hash: bytes) -> "IdempotencyRecord | None":
        """The answer that was given, if it was not too long ago."""
        return db.scalar(
            select(cls).where(
                cls.user_id == user_id, cls.key_hash == key_hash, cls.created_at > NOW - TTL
            )
        )

    def store(self, db: Session) -> None:
        """Keep the answer, in the place of one that is too old."""
        columns = ("user_id", "key_hash", "request_hash", "status", "location", "body")
        new = insert(IdempotencyRecord).values({name: getattr(self, name) for name in columns})
        db.execute(
            new.on_conflict_do_update(
                index_elements=["user_id", "key_hash"],
                set_={**{name: new.excluded[name] for name in columns}, "created_at": NOW},
            )
        )

    def response(self) -> Response:
        """The answer, as it was and as it will be."""
        response = Response(
            self.body, status=self.status, content_type="application/json", charset="utf-8"
        )
        if self.location is not None:
            response.location = self.location
        return response

    @classmethod
    def delete_expired(cls, db: Session) -> int:
        """Delete what will not be given again, and return how many."""
        old = delete(cls).where(cls.created_at <= NOW - TTL)
        return len(db.scalars(old.returning(cls.user_id)).all())


def once(view: Json) -> Json:
    """Have a view's effect once for each key.

    :raises BadRequest: for a key that is none
    :raises Conflict: while the first request with that key runs
    :raises ValidationFailed: when the key was used for another request
    """

    @functools.wraps(view)
    def answering(request: Request) -> Any:
        key = request.headers.get(HEADER)
        if key is None:
            return view(request)
        if not re.fullmatch(KEY, key):
            raise BadRequest(f"{HEADER} must be 1 to 255 visible ASCII characters.")
        user_id = request.identity.id
        key_hash = hashlib.sha256(f"{user_id} {key}".encode()).digest()
        request_hash = hmac.digest(key.encode(), _canonical(request), "sha256")
        # Those who come again need no lock, and do not keep each other from the answer.
        answer = IdempotencyRecord.find(request.db, user_id, key_hash)
        if answer is None:
            if not IdempotencyRecord.lock(request.db, key_hash):
                raise Conflict(
                    "The first request with this key is not answered yet.",
                    retry_after=STILL_RUNNING_FOR,
                )
            answer = IdempotencyRecord.find(request.db, user_id, key_hash)
        if answer is None:
            answer = IdempotencyRecord(
                user_id=user_id,
                key_hash=key_hash,
                request_hash=request_hash,
                body=json_dumps(view(request)),
                status=request.response.status_code,
                location=request.response.headers.get("Location"),
            )
            answer.store(request.db)
        elif answer.request_hash != request_hash:
            raise ValidationFailed(
                [
                    {
                        "loc": ["header", HEADER],
                        "msg": "This key was used for another request.",
                        "type": "key_reused",
                    }
                ]
            )
        return answer.response()

    return answering


def _canonical(request: Request) -> bytes:
    """What makes a request the same as another, however its JSON is laid out."""
    body = json.dumps(request.json_body, sort_keys=True) if request.body else ""
    return f"{request.method} {request.path}\n{body}".encode()
