"""The tables of words, and how they are searched."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Float,
    ForeignKeyConstraint,
    Index,
    Row,
    Select,
    and_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobtracker.board.models import CARD
from jobtracker.db.base import Base
from jobtracker.jobs.models import Job
from jobtracker.notes.models import Note


def _by_word(table: str) -> Index:
    return Index(
        f"ix_{table}_words",
        "words",
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )


class JobWords(Base):
    """The words of a job: company and title weigh most, then tags, then the location.

    A trigger of jobs keeps them true. They include the user as a word (``@7``), as those of notes
    do, so that the index finds the words of one user alone.
    """

    __tablename__ = "job_words"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "application_id"], ["jobs.user_id", "jobs.id"], ondelete="CASCADE"
        ),
        _by_word(__tablename__),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    application_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    words: Mapped[str] = mapped_column(TSVECTOR)


class NoteWords(Base):
    """The words of a note, which weigh least. A trigger of notes keeps them true."""

    __tablename__ = "note_words"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "note_id"], ["notes.user_id", "notes.id"], ondelete="CASCADE"
        ),
        _by_word(__tablename__),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    application_id: Mapped[int]
    words: Mapped[str] = mapped_column(TSVECTOR)


# What was asked is split into words as texts are, and each becomes a query of its own: the text of
# a query of one word is that word in quotes, and :* asks for a prefix. A job is found when each
# word is somewhere, in the job or in a note; a word counts by the best of its places.
FOUND = (
    text("""
        WITH asked AS MATERIALIZED (
            SELECT place, CAST(
                CAST(query AS text) || CASE WHEN place = max(place) OVER () THEN ':*' ELSE '' END
                AS tsquery) AS word
            FROM regexp_split_to_table(words_in(:q), ' ') WITH ORDINALITY AS split (part, place),
                 LATERAL plainto_tsquery('simple', part) AS query
            WHERE numnode(query) > 0
        ),
        hits AS (
            SELECT place, application_id, CAST(NULL AS bigint) AS note_id,
                   ts_rank(words, word) AS rank
            FROM asked JOIN job_words ON words @@ (CAST(:user_as_word AS tsquery) && word)
            WHERE user_id = :user_id
            UNION ALL
            SELECT place, application_id, note_id, ts_rank(words, word)
            FROM asked JOIN note_words ON words @@ (CAST(:user_as_word AS tsquery) && word)
            WHERE user_id = :user_id
        ),
        places AS (
            SELECT application_id, max(rank) AS rank,
                   (array_agg(note_id ORDER BY rank DESC, note_id DESC)
                    FILTER (WHERE note_id IS NOT NULL))[1] AS note_id
            FROM hits GROUP BY application_id, place
        )
        SELECT application_id, sum(rank) AS rank,
               (array_agg(note_id ORDER BY rank DESC, note_id DESC)
                FILTER (WHERE note_id IS NOT NULL))[1] AS note_id
        FROM places GROUP BY application_id HAVING count(*) = (SELECT count(*) FROM asked)
    """)
    .columns(application_id=BigInteger, rank=Float, note_id=BigInteger)
    .subquery("found")
)


def search(db: Session, user_id: int, q: str, *, limit: int) -> Sequence[Row[Any]]:
    """Cards of the jobs that each word of ``q`` is in, best first, with the best note's ``body``.

    The last word can be the beginning of one. Of ``q`` nothing but letters and digits counts, so
    that it has no operators.
    """
    query: Select[Any] = (
        select(*CARD, Note.body)
        .join(FOUND, and_(Job.user_id == user_id, Job.id == FOUND.c.application_id))
        .outerjoin(Note, and_(Note.user_id == user_id, Note.id == FOUND.c.note_id))
        .order_by(FOUND.c.rank.desc(), Job.last_activity_at.desc(), Job.id.desc())
        .limit(limit)
    )
    given = {"q": q, "user_id": user_id, "user_as_word": f"'@{user_id}'"}
    return db.execute(query, given).all()
