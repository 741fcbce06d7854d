"""What is asked of the table of jobs: SQL that is written once, and rows without objects."""

import functools
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    any_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.keyset import Key, Sort
from jobtracker.db.statements import Statement, like, row_type, text_array
from jobtracker.errors import NotFound, VersionConflict
from jobtracker.jobs.models import Job, Status, checked_tags, tidy_tags
from jobtracker.users.models import User

TABLE: Any = Job.__table__
_JobColumns: Any = row_type(Job)


class JobRow(_JobColumns):
    """A job's values, as they were when it was read or last changed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.company_name}: {self.job_title}>"


RANK = {status.value: rank for rank, status in enumerate(Status)}

#: What a list can be sorted by.
SORTS = {
    "activity": Sort(Key(Job.last_activity_at, descending=True), Key(Job.id, descending=True)),
    "created": Sort(Key(Job.created_at, descending=True), Key(Job.id, descending=True)),
    "updated": Sort(Key(Job.updated_at, descending=True), Key(Job.id, descending=True)),
    "company": Sort(Key(Job.company_name, by=func.lower), Key(Job.id)),
    "status": Sort(
        Key(Job.status, by=lambda status: case(RANK, value=status)),
        Key(Job.last_activity_at, descending=True),
        Key(Job.id, descending=True),
    ),
}

_BY_OWNER_AND_ID = (Job.user_id == bindparam("user_id"), Job.id == bindparam("job_id"))
# An UPDATE that waited for its turn may be older than the one before it.
_LATEST = func.greatest(Job.last_activity_at, NOW)
_VERSIONS = bindparam("versions", type_=ARRAY(BigInteger))
_VERSION_MATCHES = or_(_VERSIONS.is_(None), Job.version == any_(_VERSIONS))

_OWNER = select(User.id).where(User.cognito_sub == bindparam("sub")).scalar_subquery()
_FIND = Statement(select(TABLE).where(Job.user_id == _OWNER, Job.id == bindparam("job_id")), JobRow)
_BY_ID = Statement(select(TABLE).where(*_BY_OWNER_AND_ID), JobRow)
# FOR NO KEY UPDATE: rows that point to this one can still be made.
_LOCK = Statement(select(TABLE).where(*_BY_OWNER_AND_ID).with_for_update(key_share=True), JobRow)
_TOUCH = Statement(
    update(TABLE).where(*_BY_OWNER_AND_ID).values(last_activity_at=_LATEST).returning(TABLE), JobRow
)
_DELETE = Statement(
    delete(TABLE).where(*_BY_OWNER_AND_ID, _VERSION_MATCHES).returning(TABLE), JobRow
)


def find(connection: SupportsExecute, sub: str, job_id: int) -> JobRow | None:
    """That job, if it is of the user of that Cognito ``sub``, whom the same statement finds."""
    return _FIND.first(connection, sub=sub, job_id=job_id)


def some(
    connection: SupportsExecute,
    user_id: int,
    *,
    limit: int,
    sort: str = "activity",
    after: tuple[Any, ...] | None = None,
    **filters: Any,
) -> list[JobRow]:
    """Some of the user's jobs.

    :param sort: one of :data:`SORTS`
    :param after: only those that come after a job with these keys of the sort
    :param filters: ``q``, a part of company, title or location, in any case; ``status`` and
        ``tag``, any of them; ``tag_q``, a part of a tag
    """
    given = {name: value for name, value in filters.items() if value}
    if "q" in given:
        given["q"] = like(given["q"])
    if "tag" in given:
        given["tag"] = tidy_tags(given["tag"])
    if "tag_q" in given:
        given["tag_q"] = like(given["tag_q"].lower())
    if "status" in given:
        given["status"] = list(given["status"])
    statement = _listing(sort, after is not None, tuple(sorted(given)))
    keys = SORTS[sort].parameters(after)
    return statement.all(connection, user_id=user_id, limit=limit, **given, **keys)


@functools.cache
def _listing(sort: str, is_continued: bool, filters: tuple[str, ...]) -> Statement[JobRow]:
    query = select(TABLE).where(Job.user_id == bindparam("user_id"))
    query = query.where(*(_FILTERS[name]() for name in filters))
    if is_continued:
        query = query.where(SORTS[sort].after())
    query = query.order_by(*SORTS[sort].order()).limit(bindparam("limit", type_=BigInteger))
    return Statement(query, JobRow)


def _found() -> ColumnElement[bool]:
    columns = (Job.company_name, Job.job_title, Job.location)
    return or_(*(column.ilike(bindparam("q"), escape="\\") for column in columns))


def _found_in_tags() -> ColumnElement[bool]:
    tags = func.unnest(Job.tags).column_valued("tag")
    return select(literal(1)).where(tags.like(bindparam("tag_q"), escape="\\")).exists()


_FILTERS = {
    "q": _found,
    "status": lambda: Job.status == any_(bindparam("status", type_=ARRAY(TEXT))),
    "tag": lambda: Job.tags.overlap(bindparam("tag", type_=ARRAY(TEXT))),
    "tag_q": _found_in_tags,
}


def create(connection: SupportsExecute, sub: str, **fields: Any) -> JobRow:
    """Make a job of the user of that Cognito ``sub``, who is found by the same statement.

    :raises NotFound: when there is no such user
    """
    return _there(_insert(tuple(fields)).first(connection, sub=sub, **_new_values(fields)))


def touch(connection: SupportsExecute, user_id: int, job_id: int) -> JobRow:
    """The user did something with the job, now. It is locked from here on.

    :raises NotFound: when it was deleted in the meantime
    """
    return _there(_TOUCH.first(connection, user_id=user_id, job_id=job_id))


def lock(connection: SupportsExecute, user_id: int, job_id: int) -> JobRow:
    """Wait for others who change this job or what hangs under it, and keep them waiting.

    :raises NotFound: when it was deleted in the meantime
    """
    return _there(_LOCK.first(connection, user_id=user_id, job_id=job_id))


def change(
    connection: SupportsExecute,
    user_id: int,
    job_id: int,
    versions: list[int] | None,
    **fields: Any,
) -> JobRow:
    """Set some fields, all together. What is as it was already is no change.

    :param versions: those that it may be of
    :raises VersionConflict: when it is of another
    :raises NotFound: when it was deleted in the meantime
    """
    if fields:
        found = _update(tuple(fields)).first(
            connection, user_id=user_id, job_id=job_id, versions=versions, **_new_values(fields)
        )
        if found is not None:
            return found
    return _expected(connection, user_id, job_id, versions)


def remove(
    connection: SupportsExecute, user_id: int, job_id: int, versions: list[int] | None
) -> None:
    """Delete a job, with all that hangs under it.

    :raises VersionConflict: when it is of another version
    :raises NotFound: when somebody else has deleted it, in the meantime
    """
    found = _DELETE.first(connection, user_id=user_id, job_id=job_id, versions=versions)
    if found is None:
        _expected(connection, user_id, job_id, versions)
        raise NotFound


def _expected(
    connection: SupportsExecute, user_id: int, job_id: int, versions: list[int] | None
) -> JobRow:
    row = _there(_BY_ID.first(connection, user_id=user_id, job_id=job_id))
    if versions is not None and row.version not in versions:
        raise VersionConflict(row)
    return row


def _there(row: JobRow | None) -> JobRow:
    if row is None:
        raise NotFound
    return row


@functools.cache
def _insert(names: tuple[str, ...]) -> Statement[JobRow]:
    values = select(User.id, *_new(names).values()).where(User.cognito_sub == bindparam("sub"))
    inserted = insert(TABLE).from_select(["user_id", *names], values, include_defaults=False)
    return Statement(inserted.returning(TABLE), JobRow)


@functools.cache
def _update(names: tuple[str, ...]) -> Statement[JobRow]:
    values = _new(names)
    differs = or_(*(TABLE.c[name].is_distinct_from(value) for name, value in values.items()))
    # The row is written also where nothing differs, so that the answer is what was asked for and
    # not what somebody else makes of it a moment later. It then tells of no activity.
    activity = case((differs, _LATEST), else_=Job.last_activity_at)
    changed = update(TABLE).where(*_BY_OWNER_AND_ID, _VERSION_MATCHES)
    return Statement(changed.values(**values, last_activity_at=activity).returning(TABLE), JobRow)


def _new(names: tuple[str, ...]) -> dict[str, ColumnElement[Any]]:
    return {name: bindparam(f"new_{name}", type_=TABLE.c[name].type) for name in names}


def _new_values(fields: Mapping[str, Any]) -> dict[str, Any]:
    if "tags" in fields:
        fields = {**fields, "tags": text_array(checked_tags(fields["tags"]))}
    return {f"new_{name}": value for name, value in fields.items()}
