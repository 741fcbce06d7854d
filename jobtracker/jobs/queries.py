"""The SQL of jobs."""

import datetime
import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, TEXT, array

from jobtracker.db import statements
from jobtracker.db.base import NOW, USER_ID, sql_array
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.keyset import MAX_LIST, Page, Sort, SortKey, newest_first
from jobtracker.db.statements import PageStatement, Statement, columns_of
from jobtracker.db.trash import TrashReason, in_trash
from jobtracker.errors import NotFound, VersionConflict
from jobtracker.jobs.models import Job, Status, validate_tags
from jobtracker.users.models import User
from jobtracker.users.queries import AUTHENTICATED, TokenKey

#: The constraint of the quota ``history_per_job``, which a trigger checks.
MAX_STEPS = "history_per_job"

#: ``user_id`` and ``job_id``.
JobKey = Mapping[str, int]


class JobRow(NamedTuple):
    """A job, as of the statement that returned it."""

    user_id: int
    id: int
    company_name: str
    job_title: str
    location: str | None
    status: str
    applied_date: datetime.date | None
    job_url: str | None
    tags: list[str]
    priority: str
    next_action_at: datetime.datetime | None
    next_action_title: str | None
    last_action_at: datetime.datetime | None
    created_at: datetime.datetime
    updated_at: datetime.datetime
    last_activity_at: datetime.datetime
    version: int
    version_nonce: int

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.company_name}: {self.job_title}>"


def status_rank(status: Any) -> sa.ColumnElement[int]:
    """The position of a status in the order of the process."""
    return sa.func.array_position(sql_array(Status), status)


_BY_ACTIVITY = newest_first(Job, "last_activity_at")
#: The orders of the list of jobs.
SORTS = {
    "activity": _BY_ACTIVITY,
    "created": newest_first(Job, "created_at"),
    "updated": newest_first(Job, "updated_at"),
    "company": Sort(SortKey(Job.company_name, by=sa.func.lower), SortKey(Job.id)),
    "status": Sort(SortKey(Job.status, by=status_rank), *_BY_ACTIVITY.keys),
}

COLUMNS = columns_of(Job, JobRow)
_TAGS = sa.func.array_to_string(Job.tags, "", type_=sa.Text)
#: The texts of a card, and of a job.
CARD_TEXTS = (Job.company_name, Job.job_title, Job.location, Job.next_action_title, _TAGS)
_TEXTS = (*CARD_TEXTS, Job.job_url)
_IS_LIVE = Job.trashed_at.is_(None)
#: The conditions of the user's jobs that are not in the trash.
OF_USER = (Job.user_id == USER_ID, _IS_LIVE)
#: The ids of the user's jobs in the trash.
TRASHED_IDS = sa.select(Job.id).where(Job.user_id == USER_ID, Job.trashed_at.is_not(None))
_NUMBER_OF_LIVE = sa.select(User.job_count).where(User.id == USER_ID).scalar_subquery()
#: Whether the user has more jobs in the trash than others. If so, statements on all rows below the
#: user's jobs look for those of each job; otherwise they omit those of TRASHED_IDS from all.
IS_MOSTLY_TRASH = TRASHED_IDS.offset(_NUMBER_OF_LIVE).exists()
_OF_KEY = (Job.user_id == sa.bindparam("user_id"), Job.id == sa.bindparam("job_id"))
_BY_ID = (*_OF_KEY, _IS_LIVE)
_IN_TRASH = (*_OF_KEY, in_trash(Job))
# Concurrent updates of a job are serialized, but the later one can have the earlier clock.
_LATEST = sa.func.greatest(Job.last_activity_at, NOW)
_VERSIONS = sa.bindparam("versions", type_=ARRAY(sa.BigInteger))
_VERSION_MATCHES = sa.or_(_VERSIONS.is_(None), Job.version_nonce == sa.any_(_VERSIONS))

_SELECT = sa.select(*COLUMNS)
_FIND_AUTHENTICATED = Statement(
    _SELECT.where(*_BY_ID, sa.select(User.id).where(AUTHENTICATED).exists()), JobRow
)
_FIND = Statement(_SELECT.where(*_BY_ID), JobRow)
# FOR NO KEY UPDATE: rows that reference this one can still be inserted.
LOCK = Statement(_SELECT.where(*_BY_ID).with_for_update(key_share=True), JobRow)
#: Sets ``last_activity_at`` to now, which locks the job.
TOUCH = Statement(
    sa.update(Job.__table__).where(*_BY_ID).values(last_activity_at=_LATEST).returning(*COLUMNS),
    JobRow,
)


class DeletionTimes(NamedTuple):
    """Of the deletion of something below a job."""

    trashed_at: datetime.datetime
    previous_activity_at: datetime.datetime


_BEFORE = sa.select(Job.last_activity_at).where(*_BY_ID).with_for_update(key_share=True)
_BEFORE_CTE = _BEFORE.cte("before")
#: The same as :data:`TOUCH`. The CTE reads what a concurrent transaction has committed.
TOUCH_FOR_DELETION = Statement(
    sa.update(Job.__table__)
    .where(*_BY_ID)
    .values(last_activity_at=sa.func.greatest(_BEFORE_CTE.c.last_activity_at, NOW))
    .returning(Job.last_activity_at, _BEFORE_CTE.c.last_activity_at),
    DeletionTimes,
)
#: The same as :data:`LOCK`, of a job that may be in the trash.
LOCK_ANY = Statement(_SELECT.where(*_OF_KEY).with_for_update(key_share=True), JobRow)
LOCK_IN_TRASH = Statement(_SELECT.where(*_IN_TRASH).with_for_update(key_share=True), JobRow)
_TO_TRASH: Any = {"trashed_at": NOW, "trash_reason": sa.bindparam("reason", type_=sa.Text)}
_TRASH = Statement(
    sa.update(Job.__table__).where(*_BY_ID, _VERSION_MATCHES).values(_TO_TRASH).returning(*COLUMNS),
    JobRow,
)
#: Takes a job out of the trash.
RESTORE = Statement(
    sa.update(Job.__table__)
    .where(*_IN_TRASH)
    .values(dict.fromkeys(Job.TRASH_COLUMNS))
    .returning(*COLUMNS),
    JobRow,
)
#: Leaves a job in the trash to the task that purges it.
PURGE = Statement(
    sa.update(Job.__table__)
    .where(*_IN_TRASH)
    .values({**_TO_TRASH, "trash_reason": TrashReason.PURGE})
    .returning(*COLUMNS),
    JobRow,
)

# What a trigger keeps of a job for comparison: the texts, and the tags, as fold() makes them. The
# model is that of the search, which is a layer above.
_KEYS = sa.table(
    "job_words",
    *(sa.column(name, sa.BigInteger) for name in ("user_id", "application_id")),
    sa.column("texts", sa.Text),
    sa.column("tags", ARRAY(TEXT)),
)
_TAG = sa.func.unnest(_KEYS.c.tags).column_valued("tag")


def _once(function: str, name: str, type_: Any) -> Any:
    """A function of a parameter, which PostgreSQL computes once for a statement."""
    function_of: Any = getattr(sa.func, function)
    return sa.select(function_of(sa.bindparam(name, type_=type_), type_=type_)).scalar_subquery()


_Q, _TAG_Q = _once("fold", "q", TEXT), _once("fold", "tag_q", TEXT)
_TAGS_OF_QUERY = _once("folded", "tag", ARRAY(TEXT))
# The conditions on a job's keys. A filter of blanks alone is none.
_KEY_FILTERS: dict[str, sa.ColumnElement[bool]] = {
    "q": sa.func.strpos(_KEYS.c.texts, _Q) != 0,
    "tag": sa.or_(_KEYS.c.tags.overlap(_TAGS_OF_QUERY), sa.func.cardinality(_TAGS_OF_QUERY) == 0),
    "tag_q": sa.or_(
        sa.select(sa.literal(1)).where(sa.func.strpos(_TAG, _TAG_Q) > 0).exists(), _TAG_Q == ""
    ),
}
_HAS_STATUS = Job.status == sa.any_(sa.bindparam("status", type_=ARRAY(TEXT)))


def _conditions(filters: Collection[str]) -> Iterator[sa.ColumnElement[bool]]:
    if "status" in filters:
        yield _HAS_STATUS
    if of_keys := [_KEY_FILTERS[name] for name in filters if name in _KEY_FILTERS]:
        of_user = _KEYS.c.user_id == sa.bindparam("user_id")
        found = sa.select(_KEYS.c.application_id).where(of_user, *of_keys)
        # IS TRUE, so that PostgreSQL makes a hash table of the ids, and no join whose time depends
        # on its estimates.
        yield Job.id.in_(found).is_(sa.true())


def page(
    connection: SupportsExecute,
    user_id: int,
    *,
    limit: int | None,
    sort: str = "activity",
    after: Sequence[Any] | None = None,
    job_count: int | None = None,
    **filters: Any,
) -> Page[JobRow]:
    """A page of the user's jobs.

    :param sort: one of :data:`SORTS`
    :param filters: ``q``: substring of company, title or location; ``status`` and ``tag``: any of
        them; ``tag_q``: substring of a tag. Texts are compared as ``fold()`` makes them.
    """
    given = {name: value for name, value in filters.items() if value}
    statement = _page(sort, tuple(sorted(given)))
    parameters = {"user_id": user_id, **given}
    return statement.page(connection, limit or MAX_LIST, after, number=job_count, **parameters)


@functools.cache
def _page(sort: str, filters: tuple[str, ...]) -> PageStatement[JobRow]:
    query = _SELECT.where(*OF_USER, *_conditions(filters))
    return PageStatement(query, JobRow, SORTS[sort], texts=_TEXTS, of_owner=OF_USER)


def find_authenticated(connection: SupportsExecute, token: TokenKey, job_id: int) -> JobRow | None:
    """A job of the user of an access token, by the user's id; None also when the token is revoked
    or of another user."""
    return _FIND_AUTHENTICATED.first(connection, job_id=job_id, **token)


def create(
    connection: SupportsExecute, token: TokenKey, quota: int, **fields: Any
) -> JobRow | None:
    """Insert a job of the user of an access token; None if there is no such user, the token is
    revoked, or the user has ``quota`` jobs."""
    statement, parameters = _insert(tuple(fields)), _parameters(fields)
    return statement.first(connection, **token, quota=quota, **parameters)


def update_job(
    connection: SupportsExecute, key: JobKey, versions: list[int] | None, **fields: Any
) -> JobRow:
    """Set some fields, in one statement. Equal values are no change and no activity.

    :param versions: the nonces of the versions that are accepted; None for any
    :raises IntegrityError: by the constraint :data:`MAX_STEPS`, when a new status would be a step
        beyond the quota
    :raises VersionConflict: when the job has another version
    :raises NotFound: when it was deleted concurrently
    """
    if not fields:
        return _check_version(connection, key, versions)
    statement, parameters = _update(tuple(fields)), _parameters(fields)
    row = statement.first(connection, **key, versions=versions, **parameters)
    if row is None:
        _check_version(connection, key, versions)
        raise NotFound
    return row


def trash_job(
    connection: SupportsExecute, key: JobKey, versions: list[int] | None, reason: TrashReason
) -> None:
    """Put a job into the trash, and so all that is below it. Raises as :func:`update_job`."""
    if _TRASH.first(connection, **key, versions=versions, reason=reason) is None:
        _check_version(connection, key, versions)
        raise NotFound


@functools.cache
def job_of_trashed(model: Any) -> Statement[JobRow]:
    """The job, in the trash or not, of the row ``row_id`` of ``user_id`` in the trash."""
    child = model.__table__.c
    is_job = sa.and_(child.user_id == Job.user_id, child.application_id == Job.id)
    user_id: Any = sa.bindparam("user_id")
    by_id = (Job.user_id == user_id, child.user_id == user_id, child.id == sa.bindparam("row_id"))
    job = _SELECT.join(model.__table__, is_job).where(*by_id, in_trash(model))
    is_there = Job.trash_reason.is_distinct_from(TrashReason.PURGE.value)
    return Statement(job.where(is_there), JobRow)


def _check_version(connection: SupportsExecute, key: JobKey, versions: list[int] | None) -> JobRow:
    row = _FIND.first_or_not_found(connection, **key)
    if versions is not None and row.version_nonce not in versions:
        raise VersionConflict(row)
    return row


@functools.cache
def _insert(names: tuple[str, ...]) -> Statement[JobRow]:
    values = statements.new_values(Job, names).values()
    # A concurrent insertion is waited for, and its job counts: PostgreSQL evaluates the conditions
    # again on the row that it then has locked.
    has_room = User.job_count < sa.bindparam("quota", type_=sa.BigInteger)
    # In a CTE, since Citus locks no rows that an INSERT selects.
    user = sa.select(User.id).where(AUTHENTICATED, has_room).with_for_update(key_share=True)
    new = sa.select(user.cte("owner").c.id, *values)
    inserted = sa.insert(Job.__table__)
    inserted = inserted.from_select(["user_id", *names], new, include_defaults=False)
    return Statement(inserted.returning(*COLUMNS), JobRow)


@functools.cache
def _update(names: tuple[str, ...]) -> Statement[JobRow]:
    values = statements.new_values(Job, names)
    changed = sa.or_(*(Job.__table__.c[name].is_distinct_from(values[name]) for name in names))
    # The row is written, and so locked, even where nothing changes: the answer is the result of
    # this statement and not of a concurrent one.
    # Without CASE, in which Citus allows no clock: false as an index is 0, where the array of the
    # time has no element, and greatest() ignores NULL.
    now = array[Any]([NOW], type_=sa.DateTime(timezone=True))[sa.cast(changed, sa.Integer)]
    activity = sa.func.greatest(Job.last_activity_at, now)
    updated = sa.update(Job.__table__).where(*_BY_ID, _VERSION_MATCHES)
    updated = updated.values({**values, "last_activity_at": activity})
    return Statement(updated.returning(*COLUMNS), JobRow)


def _parameters(fields: Mapping[str, Any]) -> dict[str, Any]:
    if "tags" in fields:
        fields = {**fields, "tags": validate_tags(fields["tags"])}
    return statements.new_parameters(fields)
