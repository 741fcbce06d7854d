"""What a search finds, and in which order, compared with a plain query for each word."""

import random
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from jobtracker.db.engine import TimeoutConnection
from jobtracker.search import queries
from tests.common.api import Api

WORDS = [
    "a",
    "ab",
    "abc",
    "b",
    "ba",
    "c",
    "c++",
    "c#",
    ".net",
    "net",
    "ci/cd",
    "ci",
    "cd",
    "d",
    "e",
]
QUERIES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=13).map(" ".join)
JOB = "INSERT INTO jobs (user_id, company_name, job_title) VALUES (%(user)s, '', '') RETURNING id"
WORDS_OF_JOB = """
    INSERT INTO job_words (user_id, application_id, words, texts, tags)
    VALUES (%(user)s, %(job)s, words_of_job(%(company)s, %(title)s, %(tags)s, %(place)s), '', '{}')
"""
WORDS_OF_NOTE = """
    INSERT INTO note_words (user_id, application_id, note_id, note_ids, words)
    VALUES (%(user)s, %(job)s, %(note)s, ARRAY[%(note)s], weighed_words(%(body)s, 'D'))
"""
ROWS = """(
    SELECT user_id, application_id, words, false AS is_note FROM job_words
    UNION ALL SELECT user_id, application_id, words, true FROM note_words
) AS rows WHERE rows.user_id = %(user)s AND application_id = jobs.id"""


def fill(driver: Any, user_id: int) -> None:
    """Jobs with up to three rows of notes. A few of these are stored out of line."""
    chosen = random.Random(7)  # noqa: S311
    long = " ".join(f"word{number}" for number in range(2000))

    def some(most: int) -> str:
        return " ".join(chosen.choices(WORDS, k=chosen.randint(0, most)))

    driver.execute("SET LOCAL session_replication_role = replica")
    for number in range(60):
        job = {"user": user_id, "job": driver.execute(JOB, {"user": user_id}).fetchone()[0]}
        texts = {"company": some(2), "title": some(3), "place": some(1), "tags": some(3).split()}
        driver.execute(WORDS_OF_JOB, {**job, **texts})
        for note in range(chosen.randint(0, 3)):
            body = some(25) + f" {long}" * (number % 20 == note)
            driver.execute(WORDS_OF_NOTE, {**job, "note": number * 10 + note, "body": body})


def defined(driver: Any, user_id: int, q: str) -> list[int]:
    """The ids of the jobs that a search is to find, best first."""
    query = queries.parse(driver, q)
    assert query is not None
    words = {f"word_{number}": word for number, word in enumerate(query.words)}
    ranked = {f"ranked_{number}": part for number, part in enumerate(query.ranked)}
    rank = " + ".join(f"ts_rank(words, %({name})s)" for name in ranked)
    found = [f"EXISTS (SELECT FROM {ROWS} AND words @@ %({name})s)" for name in words]
    # Rows of one phrase alone count only with it.
    best = [
        f"coalesce((SELECT max({rank}) FROM {ROWS} AND {of}), 0)"  # noqa: S608
        for of in (
            "is_note AND (%(several)s OR words @@ %(any)s)",
            "NOT is_note AND words @@ %(any)s",
        )
    ]
    others = {"several": len(words) > 1, "any": " | ".join(words.values())}
    rows = driver.execute(
        f"""
            SELECT id FROM jobs WHERE user_id = %(user)s AND {" AND ".join(found)}
            ORDER BY EXISTS (SELECT FROM {ROWS} AND words @@ %(whole)s) DESC,
                     {" + ".join(best)} DESC, last_activity_at DESC, id DESC
        """,  # noqa: S608
        {"user": user_id, "whole": query.last_whole, **words, **ranked, **others},
    )
    return [row[0] for row in rows.fetchall()]


def test_search_finds_what_its_definition_has_in_the_same_order(ada: Api, connection: Connection):
    user_id = ada.get("/users/me").json["id"]
    driver = cast(TimeoutConnection, connection.connection.dbapi_connection)
    fill(driver, user_id)
    numbers = set()

    @settings(max_examples=150)
    @given(QUERIES)
    def check(q: str) -> None:
        found = [card.id for card, _ in queries.search(driver, user_id, q, limit=100)]
        assert found == defined(driver, user_id, q)
        numbers.add(len(found))

    check()
    assert len(numbers) > 5
