"""The SQL of searches."""

from sqlalchemy import BigInteger, Float, and_, bindparam, select, text

from jobtracker.board.queries import CARD_COLUMNS, CardRow
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Statement
from jobtracker.jobs.models import Job
from jobtracker.notes.models import Note
from jobtracker.search.models import MAX_WORDS

# The search terms are split into words as texts are, and each becomes a tsquery of its own: the
# text of a tsquery of one word is that word in quotes, and :* makes it a prefix. A job matches when
# each word occurs in the job or in one of its notes; a word counts by its best rank. The count of
# words is never greater, but of = PostgreSQL expects one job, and could read all jobs for each.
FOUND = (
    text("""
        WITH terms AS MATERIALIZED (
            SELECT position, CAST(CAST(query AS text) ||
                       CASE WHEN position = max(position) OVER () THEN ':*' ELSE '' END
                   AS tsquery) AS word
            FROM regexp_split_to_table(words_in(:q), ' ') WITH ORDINALITY AS split (part, position),
                 LATERAL plainto_tsquery('simple', part) AS query
            WHERE numnode(query) > 0 AND position <= :max_words
        ),
        hits AS (
            SELECT position, application_id, CAST(NULL AS bigint) AS note_id,
                   ts_rank(words, word) AS rank
            FROM terms JOIN job_words ON words @@ (CAST(:user_as_word AS tsquery) && word)
            WHERE user_id = :user_id
            UNION ALL
            SELECT position, application_id, note_id, ts_rank(words, word)
            FROM terms JOIN note_words ON words @@ (CAST(:user_as_word AS tsquery) && word)
            WHERE user_id = :user_id
        ),
        matches AS (
            SELECT application_id, max(rank) AS rank,
                   (array_agg(note_id ORDER BY rank DESC, note_id DESC)
                    FILTER (WHERE note_id IS NOT NULL))[1] AS note_id
            FROM hits GROUP BY application_id, position
        )
        SELECT application_id, sum(rank) AS rank,
               (array_agg(note_id ORDER BY rank DESC, note_id DESC)
                FILTER (WHERE note_id IS NOT NULL))[1] AS note_id
        FROM matches GROUP BY application_id HAVING count(*) >= (SELECT count(*) FROM terms)
    """)
    .columns(application_id=BigInteger, rank=Float, note_id=BigInteger)
    .subquery("found")
)

_SEARCH = Statement(
    select(*CARD_COLUMNS, Note.body)
    .join(FOUND, and_(Job.user_id == bindparam("user_id"), Job.id == FOUND.c.application_id))
    .outerjoin(Note, and_(Note.user_id == bindparam("user_id"), Note.id == FOUND.c.note_id))
    .order_by(FOUND.c.rank.desc(), Job.last_activity_at.desc(), Job.id.desc())
    .limit(bindparam("limit", type_=BigInteger)),
    tuple,
)


def search(
    connection: SupportsExecute, user_id: int, q: str, *, limit: int
) -> list[tuple[CardRow, str | None]]:
    """The jobs in which each word of ``q`` occurs, with the text of their best note, best first.

    The last word can be a prefix, and words beyond :data:`MAX_WORDS` are ignored. Only letters and
    digits of ``q`` count: it has no operators.
    """
    given = {"q": q, "max_words": MAX_WORDS, "limit": limit}
    rows = _SEARCH.all(connection, user_id=user_id, user_as_word=f"'@{user_id}'", **given)
    return [(CardRow(*row[:-1]), row[-1]) for row in rows]
