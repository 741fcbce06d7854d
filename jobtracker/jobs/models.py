"""The table of jobs, its vocabularies, and the columns of all tables below it."""

import datetime
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, String, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, validates

from jobtracker import unicode
from jobtracker.db.base import Base, counter, enum_check, identity, nonce, sql_in_list, timestamp
from jobtracker.db.trash import Trashable, live_index, trash_table_args

MAX_NAME = 255
MAX_URL = 2000
MAX_TAG = 64
MAX_TAGS = 50
#: The notes that a job embeds, its newest.
EMBEDDED_NOTES = 100


class Status(StrEnum):
    """The status of an application, in the order of the process."""

    SAVED = "saved"
    APPLIED = "applied"
    RECRUITER_SCREEN = "recruiter_screen"
    INTERVIEWING = "interviewing"
    ONSITE = "onsite"
    OFFER = "offer"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    GHOSTED = "ghosted"
    ARCHIVED = "archived"


class Stage(StrEnum):
    """The stages of the funnel that statuses belong to, in their order."""

    LEAD = "lead"
    APPLIED = "applied"
    SCREENING = "screening"
    INTERVIEW = "interview"
    OFFER = "offer"
    ACCEPTED = "accepted"
    CLOSED = "closed"  # outside of the order: reached from any other stage


STAGE_OF = {
    Status.SAVED: Stage.LEAD,
    Status.APPLIED: Stage.APPLIED,
    Status.RECRUITER_SCREEN: Stage.SCREENING,
    Status.INTERVIEWING: Stage.INTERVIEW,
    Status.ONSITE: Stage.INTERVIEW,
    Status.OFFER: Stage.OFFER,
    Status.ACCEPTED: Stage.ACCEPTED,
    Status.REJECTED: Stage.CLOSED,
    Status.WITHDRAWN: Stage.CLOSED,
    Status.GHOSTED: Stage.CLOSED,
    Status.ARCHIVED: Stage.CLOSED,
}

#: The statuses after which no further step is expected.
TERMINAL_STATUSES = tuple(
    status for status in Status if STAGE_OF[status] in (Stage.ACCEPTED, Stage.CLOSED)
)
#: Those of :attr:`Stage.CLOSED`.
CLOSED_STATUSES = tuple(status for status in Status if STAGE_OF[status] is Stage.CLOSED)
#: Those that say how the application ended. Archiving puts a job away, however it ended.
OUTCOMES = tuple(status for status in TERMINAL_STATUSES if status is not Status.ARCHIVED)


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


def normalize_tags(tags: Iterable[str]) -> list[str]:
    """Tags as they are stored: trimmed, lowercased, in NFC, without blanks, A to Z; of those that
    are equal when compared, the first."""
    unique: dict[str, str] = {}
    for tag in tags:
        if normal := unicode.normalize(unicode.normalize_name(tag).lower()):
            unique.setdefault(unicode.comparison_key(normal), normal)
    return sorted(unique.values())


def validate_tags(tags: Iterable[str] | None) -> list[str]:
    """Tags as they are stored; ValueError for one that is too long, which no column bounds."""
    normalized = normalize_tags(tags or ())
    if any(len(tag) > MAX_TAG for tag in normalized):
        raise ValueError(f"A tag has at most {MAX_TAG} characters")
    return normalized


class Job(Trashable, Base):
    """One application of one user."""

    __tablename__ = "jobs"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        enum_check("status", Status),
        enum_check("priority", Priority),
        CheckConstraint(f"cardinality(tags) <= {MAX_TAGS}", name="tags"),
        # The order of GET /jobs.
        live_index("ix_jobs_live", "user_id", "last_activity_at", "id"),
        # Those that become due by the retention.
        live_index(
            "ix_jobs_closed",
            "user_id",
            "last_activity_at",
            where=f"status IN ({sql_in_list(CLOSED_STATUSES)})",
        ),
        *trash_table_args("jobs"),
    )
    trash_kind = "job"

    user_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = identity()
    company_name: Mapped[str] = mapped_column(String(MAX_NAME))
    job_title: Mapped[str] = mapped_column(String(MAX_NAME))
    location: Mapped[str | None] = mapped_column(String(MAX_NAME))
    status: Mapped[str] = mapped_column(server_default=Status.APPLIED)
    applied_date: Mapped[datetime.date | None]
    job_url: Mapped[str | None] = mapped_column(String(MAX_URL))
    # Not ARRAY(String(64)): it is rendered as a cast, which truncates silently.
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    priority: Mapped[str] = mapped_column(server_default=Priority.NORMAL)
    # The next step that the user plans.
    next_action_at: Mapped[datetime.datetime | None]
    next_action_title: Mapped[str | None] = mapped_column(String(MAX_NAME))
    # When the user last took such a step. A trigger sets it when the next action is changed or
    # cleared and the statement does not.
    last_action_at: Mapped[datetime.datetime | None]
    created_at: Mapped[datetime.datetime] = timestamp()
    # When a field above last changed, the number of changes, and a nonce: kept by a trigger.
    updated_at: Mapped[datetime.datetime] = timestamp()
    version: Mapped[int] = counter()
    version_nonce: Mapped[int] = nonce()
    # When the user last created or changed the job, or anything below it.
    last_activity_at: Mapped[datetime.datetime] = timestamp()
    # When it was last restored from the trash, which is no activity: a trigger sets it.
    restored_at: Mapped[datetime.datetime | None]

    @classmethod
    def trash_title(cls) -> Any:
        return func.concat(cls.company_name, ": ", cls.job_title)

    @validates("tags")
    def _validate_tags(self, _key: str, tags: Iterable[str] | None) -> list[str]:
        return validate_tags(tags)


#: The types of the events of jobs and of all tables below them.
ACTIVITY_TYPES = [
    "job_created",
    "job_updated",
    "status_changed",
    "tags_updated",
    "next_action_changed",
]


class JobChild:
    """The primary key and the job of a row below a job."""

    OWNER_COLUMNS = ("user_id", "application_id")
    #: Of the events that the table's trigger records.
    activity_types: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        ACTIVITY_TYPES.extend(cls.activity_types)

    user_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = identity()
    application_id: Mapped[int]


class TrashableJobChild(JobChild, Trashable):
    """A child that can be in the trash, whose restoration also takes back that it was deleted."""

    TRASH_COLUMNS = (*Trashable.TRASH_COLUMNS, "previous_activity_at")

    # Of a row in the trash that was deleted as an activity of the job: the job's last_activity_at
    # of before. That of the deletion is trashed_at.
    previous_activity_at: Mapped[datetime.datetime | None]


def job_foreign_key() -> ForeignKeyConstraint:
    """Of a table below jobs: a row's job is of the same user, and takes the row with it."""
    target = ["jobs.user_id", "jobs.id"]
    return ForeignKeyConstraint(JobChild.OWNER_COLUMNS, target, ondelete="CASCADE")
