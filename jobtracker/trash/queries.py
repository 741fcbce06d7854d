"""The SQL of the trash: the rows of all tables that have one."""

import datetime
import functools
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from jobtracker.db.base import LIMIT, PERIOD, USER_ID
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.keyset import Page, Sort, SortKey
from jobtracker.db.statements import Statement, columns_of
from jobtracker.db.trash import Trashable, in_trash
from jobtracker.jobs.models import Job, JobChild


class TrashRow(NamedTuple):
    kind: str
    id: int
    #: The job that it belongs to; None for a job itself.
    job_id: int | None
    title: str
    trashed_at: datetime.datetime
    purge_at: datetime.datetime
    reason: str


# Of a job: what is below it is purged with it.
_IS_PURGED = sa.and_(Job.trashed_at.is_not(None), sa.not_(in_trash(Job)))


def _sort(model: Any, kind: Any) -> Sort:
    """Newest first. Ids of several tables can be equal."""
    keys = (model.trashed_at, model.id, kind)
    return Sort(*(SortKey(key, descending=True) for key in keys))


def _query(kind: str) -> tuple[sa.Select[Any], Sort]:
    """The rows of a kind, and their order."""
    model = Trashable.by_kind[kind]
    is_shown = [model.user_id == USER_ID, in_trash(model)]
    job_id: Any = sa.cast(sa.null(), sa.BigInteger)
    if issubclass(model, JobChild):
        job_id = model.application_id
        of_job = sa.select(sa.not_(_IS_PURGED)).where(Job.user_id == USER_ID, Job.id == job_id)
        # A subquery of each row, not a join of all of them.
        is_shown.append(of_job.scalar_subquery().is_(sa.true()))
    expressions = {
        "kind": sa.literal_column(f"'{kind}'", sa.Text).label("kind"),
        "job_id": job_id.label("job_id"),
        "title": model.trash_title().label("title"),
        "purge_at": (model.trashed_at + PERIOD).label("purge_at"),
        "reason": model.trash_reason.label("reason"),
    }
    columns = columns_of(model, TrashRow, expressions)
    return sa.select(*columns).where(*is_shown), _sort(model, expressions["kind"])


@functools.cache
def _page(kinds: tuple[str, ...], is_continued: bool) -> Statement[TrashRow]:
    """Of each kind as many rows as the page has, by its index, merged."""
    of_kinds = []
    for kind in kinds:
        query, sort = _query(kind)
        if is_continued:
            query = query.where(sort.after())
        of_kinds.append(sa.select(query.order_by(*sort.order()).limit(LIMIT).subquery(kind)))
    rows = sa.union_all(*of_kinds).subquery("trash")
    order = (rows.c[key].desc() for key in ("trashed_at", "id", "kind"))
    return Statement(sa.select(*rows.c).order_by(*order).limit(LIMIT), TrashRow)


@functools.cache
def _find(kind: str) -> Statement[TrashRow]:
    model = Trashable.by_kind[kind]
    query, _sort = _query(kind)
    return Statement(query.where(model.id == sa.bindparam("row_id", type_=sa.BigInteger)), TrashRow)


def count() -> sa.ColumnElement[int]:
    """The number of things in the trash of the user ``user_id``, an expression of a statement."""
    purged = sa.select(Job.id).where(Job.user_id == USER_ID, _IS_PURGED)
    counts: list[sa.ColumnElement[int]] = []
    for model in Trashable.by_kind.values():
        found = sa.select(sa.func.count()).select_from(model)
        found = found.where(model.user_id == USER_ID, in_trash(model))
        if issubclass(model, JobChild):
            found = found.where(model.application_id.not_in(purged))
        counts.append(found.scalar_subquery())
    return functools.reduce(operator.add, counts)


def page(
    connection: SupportsExecute,
    user_id: int,
    *,
    kinds: Sequence[str],
    period: datetime.timedelta,
    limit: int,
    after: Sequence[Any] | None,
) -> Page[TrashRow]:
    """A page of the user's trash, newest first.

    :param kinds: empty for all
    :param period: the time after which a row is purged
    """
    kinds = tuple(each for each in Trashable.by_kind if each in kinds or not kinds)
    _first, sort = _query(kinds[0])
    statement, parameters = _page(kinds, after is not None), sort.parameters(after)
    rows = statement.all(connection, user_id=user_id, period=period, limit=limit + 1, **parameters)
    return Page.from_rows(rows, limit, sort)


def find(
    connection: SupportsExecute, user_id: int, kind: str, row_id: int, period: datetime.timedelta
) -> TrashRow | None:
    return _find(kind).first(connection, user_id=user_id, row_id=row_id, period=period)
