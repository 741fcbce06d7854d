"""The SQL that moves the words of notes of jobs in the trash out of the table that searches read.

A trigger moves the first rows of a job with its deletion, which is to take no longer for a job of
many notes. Until the others are moved, searches read them, and find nothing of the job. The trigger
moves all of them back.
"""

import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.db.base import NOW
from jobtracker.db.batches import sum_over
from jobtracker.db.connections import transaction
from jobtracker.db.statements import Command, Statement
from jobtracker.jobs.models import Job
from jobtracker.search.models import NoteWords, TrashedNoteWords

# Rows of one transaction, of 6,000 bytes each.
BATCH = 500
# What is in the trash for longer is not looked for.
PERIOD = datetime.timedelta(days=1)


class _UserId(NamedTuple):
    user_id: int


_USER_ID = sa.bindparam("user_id", type_=sa.BigInteger)
_LIMIT = sa.bindparam("limit", type_=sa.BigInteger)
_SINCE = NOW - sa.bindparam("period", type_=sa.Interval)
_IS_OF_JOB = (NoteWords.user_id == Job.user_id, NoteWords.application_id == Job.id)
_USERS = Statement(
    sa.select(Job.user_id)
    .where(Job.trashed_at > _SINCE, sa.exists().where(*_IS_OF_JOB))
    .distinct(),
    _UserId,
)
# A job whose row is locked, as by its restoration, is left to the next time.
_ROWS = (
    sa.select(NoteWords.application_id, NoteWords.note_id)
    .join(Job, sa.and_(*_IS_OF_JOB))
    .where(Job.user_id == _USER_ID, NoteWords.user_id == _USER_ID, Job.trashed_at > _SINCE)
    .limit(_LIMIT)
    .with_for_update(of=Job.__table__, key_share=True, skip_locked=True)
    .cte("found")
)
_TRASHED = (
    sa.delete(NoteWords.__table__)
    .where(
        NoteWords.user_id == _USER_ID,
        NoteWords.application_id == _ROWS.c.application_id,
        NoteWords.note_id == _ROWS.c.note_id,
    )
    .returning(*NoteWords.__table__.c)
    .cte("trashed")
)
_MOVE = Command(
    sa.insert(TrashedNoteWords.__table__).from_select(
        [column.name for column in NoteWords.__table__.c], sa.select(*_TRASHED.c)
    )
)


def sweep(sessions: sessionmaker[Session]) -> int:
    """Move the words, some rows of a user in each transaction; return the number of rows."""
    with transaction(sessions) as connection:
        users = [row.user_id for row in _USERS.all(connection, period=PERIOD)]
    return sum_over(users, lambda user_id: _move(sessions, user_id))


def _move(sessions: sessionmaker[Session], user_id: int) -> int:
    number, moved = 0, BATCH
    while moved == BATCH:
        with transaction(sessions) as connection:
            moved = _MOVE.execute(connection, user_id=user_id, limit=BATCH, period=PERIOD)
        number += moved
    return number
