"""The columns of tables whose rows can be put into the trash.

A row in the trash stays where it is, with a time in ``trashed_at``: no statement of any other
feature finds it, and its restoration changes nothing but these columns.
"""

import datetime
from enum import StrEnum
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from jobtracker.db.base import enum_check
from jobtracker.errors import Conflict

#: The kind of the task that purges what came into the trash until the time ``before`` of its args,
#: and is of one of its ``kinds``.
EMPTY_TRASH = "empty_trash"


class TrashReason(StrEnum):
    """Why a row is in the trash."""

    USER = "user"
    RETENTION = "retention"  # by the user's setting data_retention_days
    REPLACED = "replaced"  # by a later document of the same single-valued type
    IMPORT = "import"  # the import that made it was undone
    #: It is to be purged by a task, and is no longer in the list of the trash.
    PURGE = "purge"


class ParentInTrash(Conflict):
    """What is to be restored belongs to a job in the trash."""

    def __init__(self) -> None:
        super().__init__(
            "The job that this belongs to is in the trash. Please restore the job first.",
            details={"code": "PARENT_IN_TRASH"},
        )


class PlaceTaken(Conflict):
    """Another row has what only one can have: the name, or the type of document of a job."""

    def __init__(self, message: str) -> None:
        super().__init__(message, details={"code": "PLACE_TAKEN"})


class Trashable:
    """A mixin of mapped classes: the columns, and what the list of the trash shows.

    ``__table_args__`` of the class includes :meth:`trash_table_args`.
    """

    #: The mapped classes by their kind.
    by_kind: ClassVar[dict[str, Any]] = {}
    #: Of the rows in the trash alone.
    TRASH_COLUMNS: ClassVar[tuple[str, ...]] = ("trashed_at", "trash_reason")
    #: The kind in paths and JSON.
    trash_kind: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "trash_kind" in vars(cls):
            cls.by_kind[cls.trash_kind] = cls

    @declared_attr
    def trashed_at(cls) -> Mapped[datetime.datetime | None]:  # noqa: N805
        return mapped_column(sa.DateTime(timezone=True))

    @declared_attr
    def trash_reason(cls) -> Mapped[str | None]:  # noqa: N805
        return mapped_column(sa.Text)

    @classmethod
    def trash_title(cls) -> sa.ColumnElement[str]:
        """The expression of what the list of the trash shows, short."""
        raise NotImplementedError


# The model is that of the tasks, which are a layer above.
_TASKS = sa.table(
    "tasks",
    *(sa.column(name) for name in ("user_id", "kind", "finished_at")),
    sa.column("args", JSONB),
)


def in_trash(model: Any) -> sa.ColumnElement[bool]:
    """That a row of a mapped class, of the user ``user_id``, is in the trash, and no task is about
    to purge it."""
    columns = model.__table__.c
    before = sa.cast(_TASKS.c.args["before"].as_string(), sa.DateTime(timezone=True))
    # Computed once for a statement.
    emptied = sa.select(sa.func.max(before)).where(
        _TASKS.c.user_id == sa.bindparam("user_id", type_=sa.BigInteger),
        _TASKS.c.kind == EMPTY_TRASH,
        _TASKS.c.finished_at.is_(None),
        _TASKS.c.args["kinds"].has_key(model.trash_kind),
    )
    return sa.and_(
        columns.trashed_at.is_not(None),
        columns.trash_reason != TrashReason.PURGE.value,
        (columns.trashed_at <= emptied.scalar_subquery()).is_not(sa.true()),
    )


def trash_table_args(tablename: str) -> tuple[sa.schema.SchemaItem, ...]:
    """The constraints of the columns, the index of the user's trash, newest first, and that of the
    sweeper's search for what is to be purged."""
    return (
        enum_check("trash_reason", TrashReason),
        sa.CheckConstraint("(trashed_at IS NULL) = (trash_reason IS NULL)", name="trash"),
        sa.Index(
            f"ix_{tablename}_trash",
            "user_id",
            "trashed_at",
            "id",
            postgresql_where=sa.text("trashed_at IS NOT NULL"),
        ),
        sa.Index(
            f"ix_{tablename}_trashed_at",
            "trashed_at",
            postgresql_where=sa.text("trashed_at IS NOT NULL"),
        ),
    )


def live_index(name: str, *columns: Any, unique: bool = False, where: str = "") -> sa.Index:
    """An index of the rows that are not in the trash."""
    condition = f"trashed_at IS NULL AND {where}" if where else "trashed_at IS NULL"
    return sa.Index(name, *columns, unique=unique, postgresql_where=sa.text(condition))
