"""The table of notes."""

import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKeyConstraint,
    Index,
    String,
    bindparam,
    delete,
    insert,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, identity, timestamp
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.keyset import Key, Sort
from jobtracker.db.statements import Statement, row_type
from jobtracker.errors import NotFound

MAX_BODY = 10_000


class Note(Base):
    """Something that a user wrote down about a job."""

    __tablename__ = "notes"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "application_id"], ["jobs.user_id", "jobs.id"], ondelete="CASCADE"
        ),
        # The notes of a job, in their order.
        Index(None, "user_id", "application_id", "created_at", "id"),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = identity()
    application_id: Mapped[int]
    body: Mapped[str] = mapped_column(String(MAX_BODY))
    created_at: Mapped[datetime.datetime] = timestamp()

    def __repr__(self) -> str:
        return f"<Note {self.id} {self.body[:40]!r}>"


_NoteColumns: Any = row_type(Note)


class NoteRow(_NoteColumns):
    """A note's values."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Note {self.id} {self.body[:40]!r}>"


NEWEST_FIRST = Sort(Key(Note.created_at, descending=True), Key(Note.id, descending=True))

TABLE: Any = Note.__table__
_BY_OWNER_AND_ID = (
    Note.user_id == bindparam("user_id"),
    Note.application_id == bindparam("job_id"),
)
_THIS = (*_BY_OWNER_AND_ID, Note.id == bindparam("note_id"))
_OF_JOB = select(TABLE).where(*_BY_OWNER_AND_ID).order_by(*NEWEST_FIRST.order())
_SOME = _OF_JOB.limit(bindparam("limit", type_=BigInteger))

_ALL = Statement(_OF_JOB, NoteRow)
_FIRST = Statement(_SOME, NoteRow)
_NEXT = Statement(_SOME.where(NEWEST_FIRST.after()), NoteRow)
_BY_ID = Statement(select(TABLE).where(*_THIS), NoteRow)
_DELETE = Statement(delete(TABLE).where(*_THIS).returning(TABLE), NoteRow)
_INSERT = Statement(
    insert(TABLE)
    .values(
        user_id=bindparam("user_id"),
        application_id=bindparam("job_id"),
        body=bindparam("body"),
        created_at=bindparam("created_at"),
    )
    .returning(TABLE),
    NoteRow,
)


def all_of_job(connection: SupportsExecute, user_id: int, job_id: int) -> list[NoteRow]:
    """The notes of a job, newest first."""
    return _ALL.all(connection, user_id=user_id, job_id=job_id)


def some_of_job(
    connection: SupportsExecute,
    user_id: int,
    job_id: int,
    limit: int,
    after: tuple[Any, ...] | None,
) -> list[NoteRow]:
    """Some of them: those that come after a note with these keys."""
    statement = _FIRST if after is None else _NEXT
    keys = NEWEST_FIRST.parameters(after)
    return statement.all(connection, user_id=user_id, job_id=job_id, limit=limit, **keys)


def by_id(connection: SupportsExecute, user_id: int, job_id: int, note_id: int) -> NoteRow | None:
    """That note, if it is on that job of that user's."""
    return _BY_ID.first(connection, user_id=user_id, job_id=job_id, note_id=note_id)


def add(
    connection: SupportsExecute,
    user_id: int,
    job_id: int,
    *,
    body: str,
    created_at: datetime.datetime,
) -> NoteRow:
    """Write a note."""
    added = _INSERT.first(
        connection, user_id=user_id, job_id=job_id, body=body, created_at=created_at
    )
    if added is None:
        raise NotFound
    return added


def remove(connection: SupportsExecute, user_id: int, job_id: int, note_id: int) -> None:
    """Delete a note.

    :raises NotFound: when somebody else has, in the meantime
    """
    if _DELETE.first(connection, user_id=user_id, job_id=job_id, note_id=note_id) is None:
        raise NotFound
