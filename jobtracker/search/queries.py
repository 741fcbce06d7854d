"""The SQL of searches."""

import functools
import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

from cachetools import LRUCache, cached
from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Float,
    Integer,
    bindparam,
    case,
    select,
    text,
    true,
)
from sqlalchemy import Text as TextType

from jobtracker.board.queries import CARD_COLUMNS, CardRow
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Statement
from jobtracker.jobs.models import Job
from jobtracker.notes.models import Note
from jobtracker.search.models import MAX_WORDS

# To rank by a part of a query takes as long as to look for it.
_MAX_RANKED = 4
# Parsed queries, and statements for their words, that are cached.
_MAX_PARSED = 1000
_MAX_STATEMENTS = 200


class Part(NamedTuple):
    word: int
    part: str
    is_prefix: bool

    def __str__(self) -> str:
        """As a tsquery. No part has one of its special characters, except in quotes."""
        return f"'{self.part}'" + ":*" * self.is_prefix


class Query(NamedTuple):
    """A parsed query.

    :param words: a tsquery for each word; the last can be a prefix
    :param last_whole: a tsquery for the last word as a whole
    :param ranked: a tsquery for each part that determines the order
    :param lexemes: the parts
    :param prefixes: those that can be prefixes of lexemes
    """

    words: list[str]
    last_whole: str
    ranked: list[str]
    lexemes: list[str]
    prefixes: list[str]

    @property
    def whole_prefixes(self) -> str:
        """A tsquery for the prefixes as whole lexemes."""
        return " & ".join(f"'{each}'" for each in self.prefixes)


_PARTS = Statement(
    text("""
        SELECT word, part, is_prefix FROM parts_of_query(:q, :max_words) ORDER BY word, number
    """).columns(word=BigInteger, part=TextType, is_prefix=Boolean),
    Part,
)


@cached(LRUCache(_MAX_PARSED), key=lambda _connection, q: q, lock=threading.Lock(), info=True)
def parse(connection: SupportsExecute, q: str) -> Query | None:
    """The words of a query, as the database has them; None if it has none."""
    parts = _PARTS.all(connection, q=q, max_words=MAX_WORDS)
    return _query(parts) if parts else None


def _query(wholes: list[Part]) -> Query:
    parts = [*wholes[:-1], wholes[-1]._replace(is_prefix=True)]
    *words, last = _phrases(parts)
    return Query(
        # Without repetition, of which each would need another statement.
        [*(word for word in dict.fromkeys(words) if word != last), last],
        _phrases(wholes)[-1],
        # Without repetition, as ts_rank() counts them.
        list({part.part: str(part) for part in parts[:_MAX_RANKED]}.values()),
        [part.part for part in parts],
        [part.part for part in parts if part.is_prefix],
    )


def _phrases(parts: Iterable[Part]) -> list[str]:
    """A tsquery for each word, whose parts follow each other."""
    words: dict[int, list[str]] = {}
    for part in parts:
        words.setdefault(part.word, []).append(str(part))
    return [" <-> ".join(each) for each in words.values()]


def _tsquery(name: str) -> str:
    return f"CAST(:{name} AS tsquery)"


# setweight() of no lexemes makes a copy. Several words are found faster in a copy, which is made
# from front to back, than in the row, of which each look-up reads other parts that the processor
# has not cached yet. A row that is stored out of line is fetched once.
_COPIED_NOTE_WORDS = """(
    SELECT application_id, setweight(words, 'D', '{}') AS words FROM note_words
    WHERE user_id = :user_id OFFSET 0
) AS copied"""


def _found(ranked: int, ranks: tuple[int | None, ...]) -> str:
    """The jobs in which each word occurs: in the job, or in one of its notes.

    Each row of the user's words is read once, without a join, and only its results are grouped: so
    the time is linear, whatever PostgreSQL estimates. Rows of a job that has just been put into the
    trash can be among them, until the sweeper moves them. Bit n says that the n-th word occurs, the
    one above these that the last word occurs as a whole.

    :param ranked: the number of ranked parts
    :param ranks: for each word, the ranked part that it is: its rank says whether it occurs
    """
    count = len(ranks)
    conditions = [
        f"words @@ {_tsquery(f'word_{n}')}" if rank is None else f"rank_{rank} > 0"
        for n, rank in enumerate(ranks)
    ]
    has_last, both = 1 << count - 1, 3 << count - 1
    whole = f"words @@ {_tsquery('last_whole')}"
    *others, last = conditions
    bits = [f"CASE WHEN {each} THEN {1 << n} ELSE 0 END" for n, each in enumerate(others)]
    if ranks[-1] is None:  # mostly, a row with the last word has it as a whole
        bits.append(f"CASE WHEN {whole} THEN {both} WHEN {last} THEN {has_last} ELSE 0 END")
    else:
        bits.append(
            f"CASE WHEN {last} THEN CASE WHEN {whole} THEN {both} ELSE {has_last} END ELSE 0 END"
        )
    bits_of_row = " | ".join(bits)
    rank = " + ".join(f"rank_{n}" for n in range(ranked))
    ranks_of_row = ", ".join(
        f"ts_rank(words, {_tsquery(f'ranked_{n}')}) AS rank_{n}" for n in range(ranked)
    )
    # OFFSET, so that PostgreSQL computes each rank once.
    of_user = f"""(
        SELECT application_id, words, {ranks_of_row} FROM {{rows}} OFFSET 0
    ) AS of_user"""  # noqa: S608
    has_any = f"AND words @@ {_tsquery('any_word')}"
    of_jobs = of_user.format(rows=f"job_words WHERE user_id = :user_id {has_any}")
    if count == 1:
        any_of_phrase = has_any if ranks == (None,) else ""
        of_notes = of_user.format(rows=f"note_words WHERE user_id = :user_id {any_of_phrase}")
    else:  # the conditions are cheaper
        of_notes = of_user.format(rows=_COPIED_NOTE_WORDS)
    is_ranked = "true" if None in ranks else f"{rank} > 0"
    return f"""
        SELECT application_id, bit_or(bits) >> {count} AS is_whole,
               coalesce(max(rank_of_note), 0) + coalesce(max(rank_of_job), 0) AS rank,
               max(last_activity_at) AS last_activity_at, max(rank_of_note) > 0 AS is_of_note
        FROM (
            SELECT application_id, {bits_of_row} AS bits, {rank} AS rank_of_job,
                   CAST(NULL AS real) AS rank_of_note,
                   CAST(NULL AS timestamptz) AS last_activity_at
            FROM {of_jobs}
            UNION ALL
            SELECT application_id, {bits_of_row}, CAST(NULL AS real), {rank},
                   CAST(NULL AS timestamptz)
            FROM {of_notes} WHERE {is_ranked}
            UNION ALL
            SELECT id, NULL, NULL, NULL, last_activity_at FROM jobs
            WHERE user_id = :user_id AND trashed_at IS NULL
        ) AS results
        GROUP BY application_id HAVING bit_or(bits) & {2**count - 1} = {2**count - 1}
            AND max(last_activity_at) IS NOT NULL
        ORDER BY is_whole DESC, rank DESC, last_activity_at DESC, application_id DESC LIMIT :limit
    """  # noqa: S608


# The note that has the most words, in the row of the job's notes that ranks best. The positions of
# "/" are the ends of the notes. All words of notes have the weight D: those of the query get
# another one, by which they are selected. Lexemes are sorted by their bytes, as by COLLATE "C":
# width_bucket() finds those between a prefix and its highest continuation. Where the prefixes are
# lexemes themselves, no longer ones are looked for, which takes a third less time.
_BEST_NOTE = f"""
    WITH best AS MATERIALIZED (
        SELECT note_ids, words, words @@ {_tsquery("whole_prefixes")} AS is_whole FROM note_words
        WHERE user_id = :user_id AND application_id = hits.application_id
            AND words @@ {_tsquery("any_ranked")}
        ORDER BY ts_rank(words, {_tsquery("any_ranked")}) DESC, note_id DESC LIMIT 1
    ),
    lexemes AS MATERIALIZED (
        SELECT note_ids, number, lexeme, positions
        FROM best,
             LATERAL (
                 SELECT array_agg(longer)
                 FROM unnest(CAST(:prefixes AS text[])) AS prefix,
                      tsvector_to_array(words) AS sorted,
                      unnest(sorted[
                          width_bucket(prefix COLLATE "C", sorted) + 1 :
                          width_bucket(prefix || U&'\\+10FFFF' COLLATE "C", sorted)
                      ]) AS longer
                 WHERE NOT is_whole
             ) AS prefixed (lexemes),
             unnest(ts_filter(
                 setweight(words, 'A', '{{/}}' || CAST(:lexemes AS text[]) || prefixed.lexemes),
                 '{{a}}'
             )) WITH ORDINALITY AS selected (lexeme, positions, weights, number)
    )
    SELECT note_ids[width_bucket(
               position, (SELECT positions FROM lexemes WHERE lexeme = '/')
           ) + 1] AS note_id
    FROM (
        SELECT note_ids, number, unnest(positions) AS position FROM lexemes WHERE lexeme <> '/'
    ) AS found
    GROUP BY note_id ORDER BY count(DISTINCT number) DESC, count(*) DESC, note_id DESC LIMIT 1
"""  # noqa: S608


@functools.lru_cache(_MAX_STATEMENTS)
def _search(ranked: int, ranks: tuple[int | None, ...]) -> Statement[Any]:
    """The search for some words, as :func:`_found` has them."""
    found = text(_found(ranked, ranks)).columns(
        application_id=BigInteger,
        is_whole=Integer,
        rank=Float,
        last_activity_at=DateTime,
        is_of_note=Boolean,
    )
    hits = found.subquery("hits")
    user_id = bindparam("user_id", type_=BigInteger)
    card = zip(CardRow._fields, CARD_COLUMNS, strict=True)
    columns = (column.label(name) for name, column in card)
    # LIMIT, so that each hit finds its rows by their keys.
    job = select(*columns).where(
        Job.user_id == user_id, Job.id == hits.c.application_id, Job.trashed_at.is_(None)
    )
    job_of_hit = job.limit(1).lateral("job")
    best = text(_BEST_NOTE).columns(note_id=BigInteger).scalar_subquery()
    note = select(Note.body).where(
        Note.user_id == user_id, Note.id == case((hits.c.is_of_note, best))
    )
    query = select(*job_of_hit.c, note.limit(1).scalar_subquery())
    order = (hits.c.is_whole, hits.c.rank, hits.c.last_activity_at, hits.c.application_id)
    query = query.select_from(hits.join(job_of_hit, true()))
    return Statement(query.order_by(*(column.desc() for column in order)), tuple)


def search(
    connection: SupportsExecute, user_id: int, q: str, *, limit: int
) -> list[tuple[CardRow, str | None]]:
    """The jobs in which each word of ``q`` occurs, with the text of their best note, best first.

    The last word can be a prefix; jobs that have it as a whole precede the others. Words beyond
    :data:`MAX_WORDS` are ignored, and those beyond ``_MAX_RANKED`` do not affect the order.
    """
    if (query := parse(connection, q)) is None:
        return []
    numbers = {part: number for number, part in enumerate(query.ranked)}
    ranks = tuple(numbers.get(word) for word in query.words)
    rows = _search(len(query.ranked), ranks).all(
        connection,
        user_id=user_id,
        limit=limit,
        any_word=" | ".join(query.words),
        any_ranked=" | ".join(query.ranked),
        last_whole=query.last_whole,
        lexemes=query.lexemes,
        prefixes=query.prefixes,
        whole_prefixes=query.whole_prefixes,
        **{f"word_{n}": word for n, word in enumerate(query.words) if ranks[n] is None},
        **{f"ranked_{n}": part for n, part in enumerate(query.ranked)},
    )
    return [(CardRow(*row[:-1]), row[-1]) for row in rows]
