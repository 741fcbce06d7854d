"""The tables of words that searches read."""

from sqlalchemy import ForeignKeyConstraint, Index
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base
from jobtracker.jobs.models import job_foreign_key

#: The words of a query that count, its first.
MAX_WORDS = 12


def _gin_index(table: str) -> Index:
    return Index(
        f"ix_{table}_words", "words", postgresql_using="gin", postgresql_with={"fastupdate": "off"}
    )


class JobWords(Base):
    """The words of a job: company and title weigh most, then tags, then the location.

    A trigger of jobs keeps them. They include the user as a word (``@7``), as those of notes do,
    so that the index finds the words of one user alone.
    """

    __tablename__ = "job_words"
    __table_args__ = (job_foreign_key(), _gin_index(__tablename__))

    user_id: Mapped[int] = mapped_column(primary_key=True)
    application_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    words: Mapped[str] = mapped_column(TSVECTOR)


class NoteWords(Base):
    """The words of a note, which weigh least. A trigger of notes keeps them."""

    __tablename__ = "note_words"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "note_id"], ["notes.user_id", "notes.id"], ondelete="CASCADE"
        ),
        _gin_index(__tablename__),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    application_id: Mapped[int]
    words: Mapped[str] = mapped_column(TSVECTOR)
