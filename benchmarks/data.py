"""The rows that are asked for, made by SQL so that millions take a minute.

Ids are made here, not by the database: a request's URL is known without asking for it.

- users 1 to ``readers``, with 50 jobs each;
- then ``WRITERS`` users, with as many each, whose jobs are changed and added to;
- then one user of 5,000 jobs.

The first job of all has ten notes.
"""

from dataclasses import dataclass

import psycopg

JOBS_OF_COLLECTOR = 5000
WRITERS = 64
NOTES = 10

MAKE_USERS = """
    INSERT INTO users (id, cognito_sub, email, name, auto_refresh_seconds,
                       email_verified_at, created_at)
    OVERRIDING SYSTEM VALUE
    SELECT n, '00000000-0000-4000-8000-' || lpad(n::text, 12, '0'), 'user' || n || '@example.com',
           'User ' || n, 30, moment, moment
    FROM generate_series(1, %(users)s::int) n,
         LATERAL (SELECT timestamptz '2026-01-01 08:00:00.123456+00' + n * interval '1 second'
                 ) AS made (moment)
"""

# Neighbours in time belong to different users, as they do where many use it: a user's jobs are not
# next to each other in the table.
MAKE_JOBS = """
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
                 ) AS whose (u, k),
         LATERAL (SELECT timestamptz '2026-02-01 08:00:00.654321+00'
                         + k * interval '1 hour' + u * interval '1 millisecond') AS made (moment)
"""

# Of those who write, and of a thousand others: millions more would take minutes, and nobody asks
# for them. Triggers make the journeys.
MAKE_STEPS = """
    INSERT INTO job_steps (user_id, application_id, status, at)
    SELECT user_id, id, status, created_at FROM jobs
    WHERE user_id <= 1000 OR user_id BETWEEN %(first_writer)s AND %(last_writer)s
"""

# For searches, of the same users.
MAKE_WORDS = """
    INSERT INTO job_words (user_id, application_id, words)
    SELECT user_id, id, words_of_job(jobs) FROM jobs WHERE user_id <= 1000
"""

MAKE_NOTES = """
    INSERT INTO notes (user_id, application_id, body, created_at)
    SELECT 1, 1, 'They called back, the ' || k || '. time. ' || repeat('We talked. ', 20),
           timestamptz '2026-03-01 08:00:00.424242+00' + k * interval '1 hour'
    FROM generate_series(1, %(notes)s::int) k
"""

NEXT_IDS = "SELECT setval(pg_get_serial_sequence('{0}', 'id'), (SELECT max(id) FROM {0}))"


@dataclass(frozen=True)
class Rows:
    """Which rows there are."""

    readers: int
    jobs_each: int = 50

    @property
    def first_writer(self) -> int:
        return self.readers + 1

    @property
    def writers(self) -> range:
        return range(self.first_writer, self.first_writer + WRITERS)

    @property
    def collector(self) -> int:
        """The user of 5,000 jobs."""
        return self.readers + WRITERS + 1

    def first_job_of(self, user: int) -> int:
        return (user - 1) * self.jobs_each + 1

    @staticmethod
    def cognito_sub(user: int) -> str:
        return f"00000000-0000-4000-8000-{user:012}"


def fill(url: str, rows: Rows) -> None:
    """Make the rows in a migrated database, and have PostgreSQL know of them."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(MAKE_USERS, {"users": rows.collector})
        # The rows fit together: nobody has to look each job's user up.
        connection.execute("SET session_replication_role = replica")
        for first, users, each in (
            (1, rows.collector - 1, rows.jobs_each),
            (rows.collector, 1, JOBS_OF_COLLECTOR),
        ):
            offset = rows.first_job_of(first) - 1
            where = {"first": first, "users": users, "each": each, "offset": offset}
            connection.execute(MAKE_JOBS, where)
        connection.execute(MAKE_NOTES, {"notes": NOTES})
        for table in ("users", "jobs", "notes"):
            connection.execute(NEXT_IDS.format(table).encode())
        connection.execute("SET session_replication_role = origin")
        writers = {"first_writer": rows.writers[0], "last_writer": rows.writers[-1]}
        connection.execute(MAKE_STEPS, writers)
        connection.execute(MAKE_WORDS)
        # Before anything is measured: no vacuum of what was just made may fall into a round.
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
