"""The table of jobs, and how it is searched."""

import datetime
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    FetchedValue,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column, validates

from jobtracker.db import NOW, Base, identity, moving_timestamp, one_of, timestamp

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


KINDS = {
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
OVER = tuple(status for status in Status if KINDS[status] in (Kind.ACCEPTED, Kind.CLOSED))


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


def tidy_tags(tags: Iterable[str]) -> list[str]:
    """Tags as they are kept: trimmed, lowercased, none blank, none twice, A to Z."""
    return sorted({tidy for tag in tags if (tidy := tag.strip().lower())})


class Job(Base):
    """One application of one user."""

    __tablename__ = "jobs"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        one_of("status", Status),
        one_of("priority", Priority),
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
    # When that was last changed or done: a trigger of the table sets it.
    last_action_at: Mapped[datetime.datetime | None] = mapped_column(
        insert_default=null(), server_onupdate=FetchedValue()
    )
    created_at: Mapped[datetime.datetime] = timestamp()
    # When one of the fields above was changed.
    updated_at: Mapped[datetime.datetime] = moving_timestamp()
    # When the user last did something with the job: made it, changed it, a note, a document.
    last_activity_at: Mapped[datetime.datetime] = moving_timestamp()

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.company_name}: {self.job_title}>"

    @validates("tags")
    def _tidy_tags(self, _key: str, tags: Iterable[str] | None) -> list[str]:
        tidy = tidy_tags(tags or ())
        if any(len(tag) > MAX_TAG for tag in tidy):
            raise ValueError(f"A tag has at most {MAX_TAG} characters")
        return tidy

    @classmethod
    def of_user(
        cls,
        db: Session,
        user_id: int,
        *,
        q: str | None = None,
        status: Collection[str] = (),
        tag: Collection[str] = (),
        tag_q: str | None = None,
    ) -> Sequence["Job"]:
        """The user's jobs, those with the latest activity first.

        :param q: a part of company, title or location, in any case
        :param status: any of these
        :param tag: has any of these
        :param tag_q: a part of a tag
        """
        query = select(cls).where(cls.user_id == user_id)
        if q:
            columns = (cls.company_name, cls.job_title, cls.location)
            query = query.where(or_(*(column.icontains(q, autoescape=True) for column in columns)))
        if status:
            query = query.where(cls.status.in_(status))
        if tag:
            query = query.where(cls.tags.overlap(tidy_tags(tag)))
        if tag_q:
            tags = func.unnest(cls.tags).column_valued("tag")
            found = select(literal(1)).where(tags.contains(tag_q.lower(), autoescape=True))
            query = query.where(found.exists())
        return db.scalars(query.order_by(cls.last_activity_at.desc(), cls.id.desc())).all()

    @classmethod
    def by_id(cls, db: Session, user_id: int, job_id: int) -> "Job | None":
        """That job, if it is that user's."""
        return db.scalar(select(cls).where(cls.user_id == user_id, cls.id == job_id))

    def lock(self, db: Session) -> None:
        """Wait for others who change this job or what hangs under it, and keep them waiting.

        FOR NO KEY UPDATE: rows that point to this one can still be made.

        :raises jobtracker.errors.NotFound: when it was deleted in the meantime
        """
        self.reread(db, with_for_update={"key_share": True})

    def touch(self, db: Session) -> datetime.datetime:
        """The user did something with the job: now, and that is returned.

        :raises sqlalchemy.orm.exc.StaleDataError: when the job was deleted in the meantime; it is
            retryable, and the next try finds nothing
        """
        # An UPDATE that waited for its turn may be older than the one before it.
        self.last_activity_at = func.greatest(Job.last_activity_at, NOW)
        db.flush()
        return self.last_activity_at
