"""The rows of a benchmark, inserted by SQL, so that millions take a minute.

Ids are computed here, so that URLs are known without a query.

- Users 1 to ``readers``, with 50 jobs each, which are only read;
- then ``WRITERS`` users, with as many jobs each, which are written to;
- then one user of 5,000 jobs.

The first job has ten notes.
"""

# ruff: noqa: S608 (SQL of constants)

from dataclasses import dataclass

import psycopg

JOBS_OF_LARGEST_USER = 5000
WRITERS = 64
NOTES = 10

INSERT_USERS = """
    INSERT INTO users (id, cognito_sub, email, name, auto_refresh_seconds,
                       email_verified_at, created_at)
    SELECT n, '00000000-0000-4000-8000-' || lpad(n::text, 12, '0'), 'user' || n || '@example.com',
           'User ' || n, 30, moment, moment
    FROM generate_series(1, %(users)s::int) n,
         LATERAL (SELECT timestamptz '2026-01-01 08:00:00.123456+00' + n * interval '1 second'
                 ) AS times (moment)
"""

INSERT_IDENTITIES = "INSERT INTO identities (sub, user_id) SELECT cognito_sub, id FROM users"

# Consecutive rows belong to different users, as in production: the jobs of a user are spread over
# the table.
INSERT_JOBS = """
    INSERT INTO jobs (user_id, id, company_name, job_title, location, status, applied_date,
                      job_url, tags, created_at, updated_at, last_activity_at)
    OVERRIDING SYSTEM VALUE
    SELECT u, %(offset)s::bigint + (u - %(first)s::int) * %(each)s::bigint + k,
           'Company ' || (k * 7919 + u) %% 1000, 'Engineer, level ' || k %% 7,
           CASE WHEN k %% 5 > 0 THEN (ARRAY['Vienna', 'Remote', 'Zürich'])[k %% 3 + 1] END,
           (ARRAY['saved', 'applied', 'recruiter_screen', 'interviewing', 'onsite', 'offer',
                  'rejected', 'ghosted'])[k %% 8 + 1],
           CASE WHEN k %% 4 > 0 THEN date '2026-01-01' + k %% 300 END,
           CASE WHEN k %% 6 > 0 THEN 'https://jobs.example.com/postings/' || k || '/' || u END,
           CASE WHEN k %% 2 = 0 THEN ARRAY['python', 'remote'] ELSE '{}' END,
           moment, moment + interval '1 day', moment + interval '2 days'
    FROM generate_series(0, %(each)s::int * %(users)s::int - 1) n,
         LATERAL (SELECT %(first)s::int + n %% %(users)s::int, n / %(users)s::int + 1
                 ) AS numbers (u, k),
         LATERAL (SELECT timestamptz '2026-02-01 08:00:00.654321+00'
                         + k * interval '1 hour' + u * interval '1 millisecond') AS times (moment)
"""

# Of these jobs there are the rows that triggers make: of millions of jobs they take minutes.
WITH_ROWS_OF_TRIGGERS = """
    (user_id <= 1000 OR user_id BETWEEN %(first_writer)s AND %(last_writer)s)
"""

# Triggers insert the rows of job_journeys.
INSERT_STEPS = f"""
    INSERT INTO job_steps (user_id, application_id, status, at)
    SELECT user_id, id, status, created_at FROM jobs WHERE {WITH_ROWS_OF_TRIGGERS}
"""

# Without it sessions would plan writes for an empty table, and keep these plans.
INSERT_ACTIVITY = f"""
    INSERT INTO activity (user_id, application_id, type, message, created_at)
    SELECT user_id, id, 'job_created', 'Job added', created_at FROM jobs
    WHERE {WITH_ROWS_OF_TRIGGERS}
"""

# The triggers are disabled while jobs are inserted.
INSERT_WORDS = f"""
    INSERT INTO job_words (user_id, application_id, words, texts, tags)
    SELECT user_id, id, words_of_job(company_name, job_title, tags, location),
           folded_texts(company_name, job_title, location), folded(tags)
    FROM jobs WHERE {WITH_ROWS_OF_TRIGGERS}
"""

INSERT_NOTES = """
    INSERT INTO notes (user_id, application_id, body, created_at)
    SELECT 1, 1, 'They called back, the ' || k || '. time. ' || repeat('We talked. ', 20),
           timestamptz '2026-03-01 08:00:00.424242+00' + k * interval '1 hour'
    FROM generate_series(1, %(notes)s::int) k
"""

SET_SEQUENCE = "SELECT setval(pg_get_serial_sequence('{0}', 'id'), (SELECT max(id) FROM {0}))"


@dataclass(frozen=True)
class Dataset:
    """The numbers of rows, and the ids that follow from them."""

    readers: int
    jobs_each: int = 50

    @property
    def first_writer(self) -> int:
        return self.readers + 1

    @property
    def writers(self) -> range:
        return range(self.first_writer, self.first_writer + WRITERS)

    @property
    def largest_user(self) -> int:
        """The user of 5,000 jobs."""
        return self.readers + WRITERS + 1

    def first_job_of(self, user: int) -> int:
        return (user - 1) * self.jobs_each + 1

    @staticmethod
    def cognito_sub(user: int) -> str:
        return f"00000000-0000-4000-8000-{user:012}"


def insert_rows(url: str, dataset: Dataset) -> None:
    """Insert the rows into a migrated database, and update PostgreSQL's statistics."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(INSERT_USERS, {"users": dataset.largest_user})
        connection.execute(INSERT_IDENTITIES)
        # No triggers and no checks of foreign keys.
        connection.execute("SET session_replication_role = replica")
        for first, users, each in (
            (1, dataset.largest_user - 1, dataset.jobs_each),
            (dataset.largest_user, 1, JOBS_OF_LARGEST_USER),
        ):
            offset = dataset.first_job_of(first) - 1
            where = {"first": first, "users": users, "each": each, "offset": offset}
            connection.execute(INSERT_JOBS, where)
        connection.execute(INSERT_NOTES, {"notes": NOTES})
        for table in ("jobs", "notes"):
            connection.execute(SET_SEQUENCE.format(table).encode())
        connection.execute("SET session_replication_role = origin")
        writers = {"first_writer": dataset.writers[0], "last_writer": dataset.writers[-1]}
        for statement in (INSERT_STEPS, INSERT_ACTIVITY, INSERT_WORDS):
            connection.execute(statement, writers)
        # So that no autovacuum of the new rows runs during a round.
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
