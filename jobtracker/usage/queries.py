"""The SQL of the usage."""

import functools
from typing import Any, NamedTuple

import sqlalchemy as sa

from jobtracker.activity.models import Activity
from jobtracker.db.base import USER_ID
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Statement
from jobtracker.db.trash import Trashable
from jobtracker.documents.models import Document
from jobtracker.documents.queries import TOTALS, WITH_JOBS
from jobtracker.history.models import JobStep
from jobtracker.http.idempotency import IdempotencyRecord
from jobtracker.interviews.models import Interview
from jobtracker.jobs.models import Job
from jobtracker.jobs.queries import IS_MOSTLY_TRASH, OF_USER, TRASHED_IDS
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


def _of_user(model: Any, expression: Any, source: Any = None) -> sa.ScalarSelect[int]:
    found = sa.select(expression).select_from(model if source is None else source)
    if source is not None:
        found = found.where(Job.user_id == USER_ID)
    return found.where(model.user_id == USER_ID, *_is_live(model)).scalar_subquery()


def _max_per_job(model: Any) -> sa.ScalarSelect[int]:
    """The number of rows of the job that has the most; those of jobs in the trash are not read."""
    of_user = (model.user_id == USER_ID, *_is_live(model))
    number = sa.func.count().label("number")
    of_live = (*of_user, model.application_id.not_in(TRASHED_IDS))
    of_all = sa.select(number).where(*of_live).group_by(model.application_id).subquery()
    of_job = sa.select(number).where(*of_user, model.application_id == Job.id).lateral()
    of_jobs = (
        sa.select(of_job.c.number).join_from(Job, of_job, sa.true()).where(*OF_USER).subquery()
    )
    most, most_of_jobs = (
        sa.select(sa.func.coalesce(sa.func.max(counts.c.number), 0)).scalar_subquery()
        for counts in (of_all, of_jobs)
    )
    return sa.select(sa.case((IS_MOSTLY_TRASH, most_of_jobs), else_=most)).scalar_subquery()


def _is_live(model: Any) -> list[sa.ColumnElement[bool]]:
    # The bytes of documents in the trash count.
    is_counted = issubclass(model, Trashable) and model is not Document
    return [model.trashed_at.is_(None)] if is_counted else []


_IN_TRASH = sa.or_(Document.trashed_at.is_not(None), Job.trashed_at.is_not(None))
_TRASH_BYTES = sa.func.coalesce(
    sa.cast(sa.func.sum(Document.size_bytes).filter(_IN_TRASH), sa.BIGINT), 0
)


@functools.cache
def _usage() -> Statement[UsageRow]:
    usage = sa.select(
        User.job_count,
        _max_per_job(Note),
        _max_per_job(Interview),
        _max_per_job(JobStep),
        _max_per_job(Activity),
        *(_of_user(Document, total, WITH_JOBS) for total in TOTALS),
        _of_user(SavedView, sa.func.count()),
        _of_user(IdempotencyRecord, sa.func.count()),
        trash.count(),
        _of_user(Document, sa.func.coalesce(_TRASH_BYTES, 0), WITH_JOBS),
    )
    return Statement(usage.where(User.id == USER_ID), UsageRow)


def read(connection: SupportsExecute, user_id: int) -> UsageRow:
    return _usage().first_or_not_found(connection, user_id=user_id)
