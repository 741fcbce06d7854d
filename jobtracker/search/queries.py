"""The SQL of searches."""

import functools
from typing import Any

from sqlalchemy import BigInteger, bindparam, select, text, true

from jobtracker.board.queries import CARD_COLUMNS, CardRow
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Statement
from jobtracker.jobs.models import Job
from jobtracker.notes.models import Note
from jobtracker.search.models import MAX_WORDS
from jobtracker.search.words import words

# To rank by a word takes as long as to look for it.
_MAX_RANKED = 4

# The words of a phrase follow each other. The last word of the query can be a prefix.
_QUERY = """
    parts AS MATERIALIZED (
        SELECT word, number, part, quote_literal(part) AS quoted,
               is_prefix OR rank() OVER (ORDER BY word DESC, number DESC) = 1 AS is_prefix,
               is_prefix AS is_always_prefix
        FROM parts_of_query(:q, :max_words)
    ),
    phrases AS (
        SELECT word,
               CAST(string_agg(quoted || CASE WHEN is_prefix THEN ':*' ELSE '' END, ' <-> '
                               ORDER BY number) AS tsquery) AS phrase,
               CAST(string_agg(quoted || CASE WHEN is_always_prefix THEN ':*' ELSE '' END, ' <-> '
                               ORDER BY number) AS tsquery) AS whole
        FROM parts GROUP BY word
    ),
    query AS MATERIALIZED (
        SELECT (SELECT array_agg(phrase ORDER BY word) FROM phrases) AS phrases,
               (SELECT CAST(string_agg(CAST(phrase AS text), ' | ') AS tsquery) FROM phrases
               ) AS any_phrase,
               (SELECT whole FROM phrases ORDER BY word DESC LIMIT 1) AS last_whole,
               (SELECT CAST(string_agg(quoted || CASE WHEN is_prefix THEN ':*' ELSE '' END, ' | ')
                            AS tsquery)
                FROM (SELECT * FROM parts ORDER BY word, number LIMIT :max_ranked) AS first
               ) AS ranked,
               (SELECT array_agg(part) FROM parts WHERE NOT is_prefix) AS words,
               (SELECT array_agg(part) FROM parts WHERE is_prefix) AS prefixes
    )
"""


def _of_query(column: str) -> str:
    """A value that PostgreSQL computes once for a statement."""
    return f"(SELECT {column} FROM query)"  # noqa: S608


def _found(count: int) -> str:
    """The jobs in which each of ``count`` words occurs: in the job, or in one of its notes.

    Each row of the user's words is read once, without a join, and only its results are grouped: so
    the time is linear, whatever PostgreSQL estimates. Bit n says that the n-th word occurs, the
    one above these that the last word occurs as a whole.
    """
    phrases = [_of_query(f"phrases[{number}]") for number in range(1, count + 1)]
    conditions = [
        *(f"words @@ {phrase}" for phrase in phrases),
        f"words @@ {_of_query('last_whole')}",
    ]
    if count == 1:
        conditions[0] = "true"  # the rows are those that have it
    bits = (f"CAST({each} AS integer) << {bit}" for bit, each in enumerate(conditions))
    results = f"""
        application_id, ts_rank(words, {_of_query("ranked")}) AS rank,
        {" | ".join(f"({bit})" for bit in bits)} AS bits
    """
    of_user = f"user_id = :user_id AND words @@ {_of_query('any_phrase')}"
    return f"""
    found AS MATERIALIZED (
        SELECT application_id, bit_or(bits) >> {count} AS is_whole,
               coalesce(max(rank) FILTER (WHERE is_of_note), 0)
                   + coalesce(max(rank) FILTER (WHERE NOT is_of_note), 0) AS rank,
               max(last_activity_at) AS last_activity_at
        FROM (
            SELECT {results}, false AS is_of_note, CAST(NULL AS timestamptz) AS last_activity_at
            FROM job_words WHERE {of_user}
            UNION ALL SELECT {results}, true, NULL FROM note_words WHERE {of_user}
            UNION ALL
            SELECT id, NULL, NULL, NULL, last_activity_at FROM jobs WHERE user_id = :user_id
        ) AS of_user
        GROUP BY application_id HAVING bit_or(bits) & {2**count - 1} = {2**count - 1}
        ORDER BY is_whole DESC, rank DESC, last_activity_at DESC, application_id DESC LIMIT :limit
    )
    """  # noqa: S608


# The note that has the most words, in the row of the job's notes that ranks best. The positions of
# "/" are the ends of the notes.
_BEST_NOTE = f"""
    WITH best AS MATERIALIZED (
        SELECT note_ids, words FROM note_words
        WHERE user_id = :user_id AND application_id = found.application_id
            AND words @@ {_of_query("ranked")}
        ORDER BY ts_rank(words, {_of_query("ranked")}) DESC, note_id DESC LIMIT 1
    ),
    lexemes AS MATERIALIZED (
        SELECT lexeme, positions FROM best, unnest(best.words)
        WHERE lexeme = '/' OR lexeme = ANY (CAST({_of_query("words")} AS text[]))
            OR lexeme ^@ ANY (CAST({_of_query("prefixes")} AS text[]))
    )
    SELECT best.note_ids[width_bucket(position, ends.positions) + 1] AS note_id
    FROM best, lexemes, unnest(lexemes.positions) AS position,
         (SELECT positions FROM lexemes WHERE lexeme = '/') AS ends
    WHERE lexeme <> '/'
    GROUP BY note_id ORDER BY count(DISTINCT lexeme) DESC, count(*) DESC, note_id DESC LIMIT 1
"""  # noqa: S608


@functools.cache
def _search(count: int) -> Statement[Any]:
    """The search for a number of words."""
    hits = (
        text(f"""
            WITH {_QUERY}, {_found(count)}
            SELECT application_id, ({_BEST_NOTE}) AS note_id, row_number() OVER (
                       ORDER BY is_whole DESC, rank DESC, last_activity_at DESC, application_id DESC
                   ) AS position
            FROM found
        """)  # noqa: S608
        .columns(application_id=BigInteger, note_id=BigInteger, position=BigInteger)
        .subquery("hits")
    )
    of_user = Job.user_id == bindparam("user_id")
    card = zip(CardRow._fields, CARD_COLUMNS, strict=True)
    # LIMIT, so that each hit finds its rows by their keys.
    columns = (column.label(name) for name, column in card)
    job = select(*columns).where(of_user, Job.id == hits.c.application_id).limit(1).lateral("job")
    note = select(Note.body).where(Note.user_id == bindparam("user_id"), Note.id == hits.c.note_id)
    query = select(*job.c, note.limit(1).scalar_subquery())
    return Statement(query.select_from(hits.join(job, true())).order_by(hits.c.position), tuple)


def search(
    connection: SupportsExecute, user_id: int, q: str, *, limit: int
) -> list[tuple[CardRow, str | None]]:
    """The jobs in which each word of ``q`` occurs, with the text of their best note, best first.

    The last word can be a prefix; jobs that have it as a whole precede the others. Words beyond
    :data:`MAX_WORDS` are ignored, and those beyond ``_MAX_RANKED`` do not affect the order.
    """
    if not (count := len(words(q))):
        return []
    given = {"q": q, "max_words": MAX_WORDS, "max_ranked": _MAX_RANKED, "limit": limit}
    rows = _search(count).all(connection, user_id=user_id, **given)
    return [(CardRow(*row[:-1]), row[-1]) for row in rows]
