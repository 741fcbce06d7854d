"""The table of tasks."""

import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, false, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, enum_check, identity, sql_in_list, timestamp


class TaskState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


FINISHED = (TaskState.DONE, TaskState.FAILED)


class Task(Base):
    """Work of a user's that takes longer than a request.

    Without a foreign key: the task that deletes an account outlives the user.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        enum_check("state", TaskState),
        CheckConstraint(
            f"(finished_at IS NOT NULL) = (state IN ({sql_in_list(FINISHED)}))", name="finished_at"
        ),
        # Those that are due.
        Index("ix_tasks_unfinished", "run_after", postgresql_where=text("finished_at IS NULL")),
        Index(
            "uq_tasks_unfinished",
            *("user_id", "kind", "args"),
            unique=True,
            postgresql_where=text("finished_at IS NULL"),
        ),
        # Those that have expired.
        Index(None, "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[int] = identity()
    #: The name of a function: :mod:`jobtracker.tasks.kinds`.
    kind: Mapped[str]
    #: Small, as they are in an index.
    args: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(server_default=TaskState.QUEUED)
    #: When it is due; of a running one, when its lease ends.
    run_after: Mapped[datetime.datetime] = timestamp()
    #: How often a worker has taken it.
    attempts: Mapped[int] = mapped_column(server_default="0")
    #: The fencing token of the latest lease: a random number, which no restore repeats.
    lease_nonce: Mapped[int | None]
    #: The attempts that failed since the last progress.
    failures: Mapped[int] = mapped_column(server_default="0")
    #: Whether it was enqueued again while it ran.
    run_again: Mapped[bool] = mapped_column(server_default=false())
    done: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    #: The class of the latest exception.
    error: Mapped[str | None]
    created_at: Mapped[datetime.datetime] = timestamp()
    finished_at: Mapped[datetime.datetime | None]
