"""The table of jobs. What is asked of it is in queries.py."""

import datetime
from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    FetchedValue,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    null,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, validates

from jobtracker.db.base import Base, counter, enum_check, identity, timestamp, updated_at_column

MAX_NAME = 255
MAX_URL = 2000
MAX_TAG = 64
MAX_TAGS = 50


class Status(StrEnum):
    """Where an application stands, in the order of its life."""

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


class Kind(StrEnum):
    """What a status means: the rungs of a ladder, from the first to the last, and its ends."""

    LEAD = "lead"
    APPLIED = "applied"
    SCREENING = "screening"
    INTERVIEW = "interview"
    OFFER = "offer"
    ACCEPTED = "accepted"
    CLOSED = "closed"  # no rung: from any of them it can come to this


STAGE_OF = {
    Status.SAVED: Kind.LEAD,
    Status.APPLIED: Kind.APPLIED,
    Status.RECRUITER_SCREEN: Kind.SCREENING,
    Status.INTERVIEWING: Kind.INTERVIEW,
    Status.ONSITE: Kind.INTERVIEW,
    Status.OFFER: Kind.OFFER,
    Status.ACCEPTED: Kind.ACCEPTED,
    Status.REJECTED: Kind.CLOSED,
    Status.WITHDRAWN: Kind.CLOSED,
    Status.GHOSTED: Kind.CLOSED,
    Status.ARCHIVED: Kind.CLOSED,
}

#: Nothing more is expected of a job of these.
TERMINAL_STATUSES = tuple(
    status for status in Status if STAGE_OF[status] in (Kind.ACCEPTED, Kind.CLOSED)
)


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


def tidy_tags(tags: Iterable[str]) -> list[str]:
    """Tags as they are kept: trimmed, lowercased, none blank, none twice, A to Z."""
    return sorted({tidy for tag in tags if (tidy := tag.strip().lower())})


def checked_tags(tags: Iterable[str] | None) -> list[str]:
    """Tags as they are kept, and none too long: the database would not say so.

    :raises ValueError:
    """
    tidied = tidy_tags(tags or ())
    if any(len(tag) > MAX_TAG for tag in tidied):
        raise ValueError(f"A tag has at most {MAX_TAG} characters")
    return tidied


class Job(Base):
    """One application of one user."""

    __tablename__ = "jobs"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        enum_check("status", Status),
        enum_check("priority", Priority),
        CheckConstraint(f"cardinality(tags) <= {MAX_TAGS}", name="tags"),
        # GET /jobs, in its order.
        Index(None, "user_id", "last_activity_at", "id"),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = identity()
    company_name: Mapped[str] = mapped_column(String(MAX_NAME))
    job_title: Mapped[str] = mapped_column(String(MAX_NAME))
    location: Mapped[str | None] = mapped_column(String(MAX_NAME))
    status: Mapped[str] = mapped_column(server_default=Status.APPLIED)
    applied_date: Mapped[datetime.date | None]
    job_url: Mapped[str | None] = mapped_column(String(MAX_URL))
    # Not ARRAY(String(64)): it is rendered as a cast, which cuts what is too long without a word.
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    priority: Mapped[str] = mapped_column(server_default=Priority.NORMAL)
    # What the user means to do next, and when.
    next_action_at: Mapped[datetime.datetime | None]
    next_action_title: Mapped[str | None] = mapped_column(String(MAX_NAME))
    # When the user last did such a thing. Where nobody says so, a trigger of the table does, when
    # the next action is changed or done.
    last_action_at: Mapped[datetime.datetime | None] = mapped_column(
        insert_default=null(), server_onupdate=FetchedValue()
    )
    created_at: Mapped[datetime.datetime] = timestamp()
    # When one of the fields above was changed, and how often: both are kept by a trigger.
    updated_at: Mapped[datetime.datetime] = updated_at_column()
    # When the user last did something with the job: made it, changed it, a note, a document.
    last_activity_at: Mapped[datetime.datetime] = updated_at_column()
    version: Mapped[int] = counter()

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.company_name}: {self.job_title}>"

    @validates("tags")
    def _tidy_tags(self, _key: str, tags: Iterable[str] | None) -> list[str]:
        return checked_tags(tags)
