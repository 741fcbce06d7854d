"""The SQL of the usage."""

import functools
from typing import Any, NamedTuple

from sqlalchemy import (
    BIGINT,
    BigInteger,
    ColumnElement,
    ScalarSelect,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
)

from jobtracker.activity.models import Activity
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Statement
from jobtracker.db.trash import Trashable
from jobtracker.documents.models import Document
from jobtracker.documents.queries import TOTALS, WITH_JOBS
from jobtracker.history.models import JobStep
from jobtracker.http.idempotency import IdempotencyRecord
from jobtracker.interviews.models import Interview
from jobtracker.jobs.models import Job
from jobtracker.notes.models import Note
from jobtracker.saved_views.models import SavedView
from jobtracker.trash import queries as trash
from jobtracker.users.models import User


class UsageRow(NamedTuple):
    """The usage of each quota; that of one for each job is of the job that has the most. And what
    is in the trash: its things, and the bytes of its documents."""

    jobs: int
    notes_per_job: int
    interviews_per_job: int
    history_per_job: int
    activity_per_job: int
    documents: int
    document_bytes: int
    saved_views: int
    idempotency_keys: int
    trash_count: int
    trash_bytes: int


_USER_ID = bindparam("user_id", type_=BigInteger)


def _of_user(model: Any, expression: Any, source: Any = None) -> ScalarSelect[int]:
    found = select(expression).select_from(model if source is None else source)
    return found.where(model.user_id == _USER_ID, *_is_live(model)).scalar_subquery()


def _most(model: Any) -> ScalarSelect[int]:
    counts = select(model.application_id, func.count().label("number"))
    counts = counts.where(model.user_id == _USER_ID, *_is_live(model))
    of_jobs = counts.group_by(model.application_id).subquery()
    job = and_(Job.user_id == _USER_ID, Job.id == of_jobs.c.application_id)
    most = select(func.coalesce(func.max(of_jobs.c.number), 0)).select_from(of_jobs.join(Job, job))
    return most.where(Job.trashed_at.is_(None)).scalar_subquery()


def _is_live(model: Any) -> list[ColumnElement[bool]]:
    # The bytes of documents in the trash count.
    is_counted = issubclass(model, Trashable) and model is not Document
    return [model.trashed_at.is_(None)] if is_counted else []


_IN_TRASH = or_(Document.trashed_at.is_not(None), Job.trashed_at.is_not(None))
_TRASH_BYTES = func.coalesce(cast(func.sum(Document.size_bytes).filter(_IN_TRASH), BIGINT), 0)


@functools.cache
def _usage() -> Statement[UsageRow]:
    usage = select(
        User.job_count,
        _most(Note),
        _most(Interview),
        _most(JobStep),
        _most(Activity),
        *(_of_user(Document, total, WITH_JOBS) for total in TOTALS),
        _of_user(SavedView, func.count()),
        _of_user(IdempotencyRecord, func.count()),
        trash.count(),
        _of_user(Document, _TRASH_BYTES, WITH_JOBS),
    )
    return Statement(usage.where(User.id == _USER_ID), UsageRow)


def read(connection: SupportsExecute, user_id: int) -> UsageRow:
    """The usage of a user; NotFound when the user was deleted concurrently."""
    return _usage().first_or_not_found(connection, user_id=user_id)
