"""The plan of a search: the user's rows are read once, whatever PostgreSQL estimates."""

from typing import Any

import pytest
from sqlalchemy import Connection

from jobtracker.jobs import queries as jobs
from jobtracker.search import queries
from tests.common.api import Api
from tests.common.plans import Explained

JOBS, NOTES = 500, 20
MANY_JOBS = f"""
    INSERT INTO jobs (user_id, company_name, job_title)
    SELECT users.id, 'Acme', 'Engineer' FROM users, generate_series(1, {JOBS});
    INSERT INTO notes (user_id, application_id, body)
    SELECT user_id, id, 'They called back ' || n FROM jobs, generate_series(1, {NOTES}) AS n;
    WITH weighed AS MATERIALIZED (
        SELECT body, weighed_words(body, 'D') AS words
        FROM (SELECT DISTINCT body FROM notes) AS bodies
    )
    INSERT INTO note_words (user_id, application_id, note_id, note_ids, words)
    SELECT user_id, application_id, id, ARRAY[id], words FROM notes JOIN weighed USING (body);
    INSERT INTO job_words (user_id, application_id, words, texts, tags)
    SELECT user_id, id, (SELECT words_of_job('Acme', 'Engineer', '{{}}', NULL)), '', '{{}}'
    FROM jobs;
"""  # noqa: S608
SEARCHES = [
    *("called", "c", "they called back", "acme called", "nothing"),
    "1 2 3 4 5 6 7 8 9 a b c",
]
TABLES = ("jobs", "notes", "job_words", "note_words")


@pytest.fixture
def explained(ada: Api, connection: Connection) -> Explained:
    """The statistics of PostgreSQL are of the empty tables."""
    ada.get("/users/me")
    driver: Any = connection.connection.dbapi_connection
    for table in TABLES:
        driver.execute(f"ANALYZE {table}")
    driver.execute("SET LOCAL session_replication_role = replica")
    driver.execute(MANY_JOBS)
    return Explained(driver)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("analyzed", [False, True])
def test_search_reads_each_row_of_words_once(
    ada: Api, explained: Explained, analyzed: bool, mode: str
):
    user_id = ada.get("/users/me").json["id"]
    explained.driver.execute(f"SET LOCAL plan_cache_mode = {mode}")
    if analyzed:
        explained.driver.execute(f"ANALYZE {', '.join(TABLES)}")
    limit = 20
    for q in SEARCHES:  # here, since the rows take longer to make than to find
        explained.nodes.clear()
        queries.parse(explained.driver, q)
        queries.search(explained, user_id, q, limit=limit)
        assert explained.nodes, q
        for node in explained.nodes:
            loops = node["Actual Loops"]
            assert loops <= max(limit * 20, 1), (q, node)
            if loops > limit:
                assert node["Node Type"] in ("Function Scan", "CTE Scan"), (q, node)
            assert "Rows Removed by Join Filter" not in node or node["Actual Rows"] * loops < JOBS
        once = [each.get("Relation Name") for each in explained.nodes if each["Actual Loops"] == 1]
        assert once.count("job_words") == 1, q


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("analyzed", [False, True])
def test_filters_read_each_row_of_keys_once(
    ada: Api, explained: Explained, analyzed: bool, mode: str
):
    user_id = ada.get("/users/me").json["id"]
    explained.driver.execute(f"SET LOCAL plan_cache_mode = {mode}")
    if analyzed:
        explained.driver.execute(f"ANALYZE {', '.join(TABLES)}")
    jobs.page(explained, user_id, limit=50, q="nothing", tag=["a"], tag_q="b")
    assert all(node["Actual Loops"] <= 1 for node in explained.nodes)
    assert "hashed SubPlan" in str(explained.nodes)


def test_plan_of_a_small_table_is_not_used_for_a_large_one(ada: Api, connection: Connection):
    """The words of many notes that one session inserts."""
    job = ada.post("/jobs", {"company_name": "Acme", "job_title": "Engineer"}).json["id"]
    driver: Any = connection.connection.dbapi_connection
    driver.execute("ANALYZE note_words")
    note = {"user": ada.get("/users/me").json["id"], "job": job}
    add = "SELECT add_words_of_note(%(user)s, %(job)s + n / 10, n, 'x')"
    driver.execute("SET LOCAL session_replication_role = replica")
    driver.execute(f"{add} FROM generate_series(1, 100) AS n", note)
    driver.execute(f"{add} FROM generate_series(101, 5000) AS n", note)
    indexes = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'note_words'"
    assert driver.execute(indexes).fetchone()[0] < 100_000
