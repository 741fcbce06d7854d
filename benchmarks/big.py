"""``--big``: whether a list takes longer in a larger table, and further down the list."""

# ruff: noqa: T201 (the output of a command)

import argparse
import re
import statistics
import time
from urllib.parse import quote

import psycopg
import urllib3

from benchmarks import systems
from benchmarks.dataset import Dataset
from benchmarks.environment import Environment, with_database
from benchmarks.server_process import Server
from benchmarks.table import markdown
from benchmarks.wrk import Load, Request, load

JOBS_EACH = 100
SMALL = Dataset(readers=500, jobs_each=JOBS_EACH)
LARGE = Dataset(readers=50_000, jobs_each=JOBS_EACH)
# Numbers of users, spread over the table. What 100 users need of the large table fits into 128 MB,
# the default of shared_buffers; what 500 need does not.
USERS = (100, 500)
# Different queries for each user: before one is repeated, its response has left the response cache.
QUERIES = 20
# Repetitions of the long list, and of the funnel.
LIST_REPETITIONS = 15
FUNNEL_REPETITIONS = 50
INSERT_STEPS = """
    INSERT INTO job_steps (user_id, application_id, status, at)
    SELECT user_id, id,
           (ARRAY['saved', 'applied', 'recruiter_screen', 'interviewing', 'onsite', 'offer',
                  'accepted', 'rejected', 'withdrawn', 'ghosted', 'archived'])[
               1 + (id * 7 + k * k * 5 + k) %% 11],
           timestamptz '2026-01-01 08:00:00+00' + k * interval '1 day' + id * interval '1 minute'
    FROM jobs, generate_series(1, 8) k WHERE user_id = %(user)s
"""
# Ten notes for each job, of 5 to 60 words: as in languages, few words are common and most are rare.
SEARCHED_NOTES = """
    INSERT INTO notes (user_id, application_id, body)
    SELECT user_id, id, (
        SELECT string_agg(left(md5(number::text), 3 + number %% 7), ' ')
        FROM generate_series(1, (5 + (id * 7 + k * 13) %% 56)::int) AS w,
             LATERAL (SELECT floor(4000 * random() ^ 4)::int + 0 * w) AS word (number)
    ) || CASE WHEN (id + k) %% 9 = 0 THEN ' C++ and .NET, CI/CD' ELSE '' END
      || CASE WHEN (id + k) %% 50 = 0 THEN ' \u6771\u4eac\u90fd\u5e81\u3067\u50cd\u304f' ELSE '' END
    FROM jobs, generate_series(1, 10) k
    WHERE user_id = %(user)s ORDER BY k, id
"""
KEEP_WORDS_OF_JOBS = """
    INSERT INTO job_words (user_id, application_id, words, texts, tags)
    SELECT user_id, id, words_of_job(company_name, job_title, tags, location),
           folded_texts(company_name, job_title, location), folded(tags)
    FROM jobs WHERE user_id = %(user)s ON CONFLICT DO NOTHING
"""
KEEP_WORDS_OF_NOTES = """
    SELECT add_words_of_note(user_id, application_id, id, body) FROM (
        SELECT * FROM notes WHERE user_id = %(user)s ORDER BY id
    ) AS notes
"""
COMMON_WORDS = """
    SELECT word FROM ts_stat('SELECT words FROM note_words WHERE user_id = {}')
    WHERE word <> '/' AND length(word) > 2 ORDER BY ndoc DESC, word
"""
SEARCH_REPETITIONS = 15
HEAD = ("A page of 50 out of", "users", "requests/s", "ratio", "ms p50 / p99")


def report(environment: Environment, arguments: argparse.Namespace) -> None:
    """Print the tables."""
    small = with_database(environment, "small", SMALL)
    with systems.jobtracker(small, arguments.server, "small") as small_server:
        if not _has_pages(small_server, small):
            print("`GET /jobs` has no `limit`: n/a")
            return
        large = with_database(environment, "large", LARGE)
        with systems.jobtracker(large, arguments.server, "large") as large_server:
            both = ((small, small_server), (large, large_server))
            rows = [row for users in USERS for row in _pages(both, users, arguments)]
            print(f"\n{markdown(HEAD, rows)}\n")
            print(f"{_long_list(small, small_server)}\n\n{_funnel(small, small_server)}")
            print(f"\n{_board(small, small_server)}")
            print(f"\n{_searches(small, small_server)}")


def _has_pages(server: Server, environment: Environment) -> bool:
    headers = {"Authorization": f"Bearer {environment.token_of(1)}"}
    response = urllib3.request("GET", f"{server.url}/jobs?limit=7", headers=headers)
    return response.status == 200 and len(response.json()) == 7


def _pages(
    both: tuple[tuple[Environment, Server], ...], users: int, arguments: argparse.Namespace
) -> list[list[str]]:
    """Rows on the first page of a list, in the small and in the large table."""
    plan = []
    for environment, server in both:
        step = environment.dataset.readers // users
        tokens = [environment.token_of(1 + number * step) for number in range(users)]
        paths = [f"/jobs?limit=50&fresh={number}" for number in range(QUERIES)]
        plan.append((server, [Request("GET", path, token) for path in paths for token in tokens]))
    loads: list[list[Load]] = [[] for _ in both]
    for _ in range(arguments.rounds):
        for (server, requests), results in zip(plan, loads, strict=True):
            result = load(
                server.url,
                requests,
                server.output.parent,
                seconds=arguments.seconds,
                connections=arguments.connections,
            )
            results.append(result.check(server, "a page"))
    baseline = statistics.median(result.per_second for result in loads[0])
    rows = []
    for (environment, _server), results in zip(both, loads, strict=True):
        rate = statistics.median(result.per_second for result in results)
        p50 = statistics.median(result.p50 for result in results)
        p99 = statistics.median(result.p99 for result in results)
        jobs = environment.dataset.readers * JOBS_EACH
        figures = [f"{rate:.0f}", f"{rate / baseline:.2f}", f"{p50:.1f} / {p99:.1f}"]
        rows.append([f"{jobs:,}", str(users), *figures])
    return rows


def _long_list(environment: Environment, server: Server) -> str:
    """A table of the pages of the long list, following the Link headers."""
    token = environment.token_of(environment.dataset.largest_user)
    seconds: list[list[float]] = []
    http = urllib3.PoolManager()
    for number in range(LIST_REPETITIONS):
        path: str | None = f"/jobs?limit=1000&fresh={number}"
        ids = set()
        for page in range(100):
            started = time.perf_counter()
            response = http.request(
                "GET", server.url + str(path), headers={"Authorization": f"Bearer {token}"}
            )
            if page == len(seconds):
                seconds.append([])
            seconds[page].append(time.perf_counter() - started)
            ids |= {job["id"] for job in response.json()}
            if (path := _next_path(response.headers.get("Link", ""))) is None:
                break
        if len(ids) != 5000:
            raise RuntimeError(f"the pages contain {len(ids)} jobs, not 5000")
    medians = [statistics.median(each) for each in seconds]
    rows = [
        [f"{page}.", f"{median * 1000:.1f}", f"{median / medians[0]:.2f}"]
        for page, median in enumerate(medians, start=1)
    ]
    return markdown(["Page of 1,000 out of 5,000", "ms", "ratio to the first"], rows)


def _funnel(environment: Environment, server: Server) -> str:
    """A table of the funnel of the long list, with eight steps for each job, and a list of 50."""
    user = environment.dataset.largest_user
    with psycopg.connect(environment.database_url, autocommit=True) as connection:
        connection.execute(INSERT_STEPS, {"user": user})
        connection.execute("VACUUM (ANALYZE)")
    headers = {"Authorization": f"Bearer {environment.token_of(user)}"}
    seconds: dict[str, list[float]] = {"/jobs?limit=50": [], "/jobs/stats/funnel?": []}
    http = urllib3.PoolManager()
    for number in range(FUNNEL_REPETITIONS):
        for path, times in seconds.items():
            started = time.perf_counter()
            # Another query each time, because the response cache has the previous response.
            response = http.request("GET", f"{server.url}{path}&fresh={number}", headers=headers)
            times.append(time.perf_counter() - started)
            if response.status != 200:
                raise RuntimeError(f"GET {path} is {response.status}")
    page, funnel = (statistics.median(times) for times in seconds.values())
    rows = [
        ["a list of 50", f"{page * 1000:.1f}", "1.00"],
        [
            "the funnel of 5,000 jobs with 40,000 steps",
            f"{funnel * 1000:.1f}",
            f"{funnel / page:.2f}",
        ],
    ]
    return markdown(["Request", "ms", "ratio"], rows)


def _board(environment: Environment, server: Server) -> str:
    """A table of polls of the board of 5,000 jobs: made anew, and unchanged."""
    headers = {"Authorization": f"Bearer {environment.token_of(environment.dataset.largest_user)}"}
    http = urllib3.PoolManager()

    def timed(path: str, status: int, **others: str) -> tuple[float, urllib3.BaseHTTPResponse]:
        started = time.perf_counter()
        response = http.request("GET", server.url + path, headers={**headers, **others})
        seconds = time.perf_counter() - started
        if response.status != status:
            raise RuntimeError(f"GET {path} is {response.status}")
        return seconds, response

    seconds: dict[str, list[float]] = {"a list of 50": [], "made anew": [], "unchanged, 304": []}
    for number in range(LIST_REPETITIONS):
        page, _ = timed(f"/jobs?limit=50&board={number}", 200)
        board, response = timed(f"/jobs/board?fresh={number}", 200)
        same = {"If-None-Match": response.headers["ETag"]}
        unchanged, _ = timed(f"/jobs/board?fresh={number}", 304, **same)
        for times, one in zip(seconds.values(), (page, board, unchanged), strict=True):
            times.append(one)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    baseline = medians["a list of 50"]
    rows = [
        [name, f"{median * 1000:.1f}", f"{median / baseline:.2f}"]
        for name, median in medians.items()
    ]
    return markdown(["A poll of the board of 5,000 jobs", "ms", "ratio"], rows)


def _searches(environment: Environment, server: Server) -> str:
    """A table of searches of 5,000 jobs with 50,000 notes, and a list of 50, in turns."""
    user = environment.dataset.largest_user
    with psycopg.connect(environment.database_url, autocommit=True) as connection:
        connection.execute(KEEP_WORDS_OF_JOBS, {"user": user})
        # Without the triggers, of which most keep the activity.
        connection.execute("SET session_replication_role = replica")
        connection.execute(SEARCHED_NOTES, {"user": user})
        connection.execute("SET session_replication_role = origin")
        connection.execute(KEEP_WORDS_OF_NOTES, {"user": user})
        connection.execute("VACUUM (ANALYZE)")
        words = [row[0] for row in connection.execute(COMMON_WORDS.format(user).encode())]
    http = urllib3.PoolManager()
    headers = {"Authorization": f"Bearer {environment.token_of(user)}"}

    def seconds(path: str) -> float:
        started = time.perf_counter()
        response = http.request("GET", server.url + path, headers=headers)
        if response.status != 200:
            raise RuntimeError(f"GET {path} is {response.status}")
        return time.perf_counter() - started

    queries = _queries(words)
    pages = []
    times: dict[str, list[float]] = {name: [] for name in queries}
    for number in range(SEARCH_REPETITIONS):
        for name, q in queries.items():
            # Another query each time, because the response cache has the previous response.
            pages.append(seconds(f"/jobs?limit=50&fresh={number}{name}".replace(" ", "-")))
            times[name].append(seconds(f"/jobs/search?q={quote(q)}&fresh={number}"))
    page = statistics.median(pages)
    medians = {name: statistics.median(each) for name, each in times.items()}
    rows = [["a list of 50", f"{page * 1000:.1f}", "1.00"]]
    for name in sorted(medians, key=medians.__getitem__, reverse=True):
        rows.append([name, f"{medians[name] * 1000:.1f}", f"{medians[name] / page:.2f}"])
    return markdown(["Search of 5,000 jobs with 50,000 notes", "ms", "ratio"], rows)


def _queries(words: list[str]) -> dict[str, str]:
    """Twenty searches, by what they look for; ``words`` are of the notes, common ones first."""
    common, rare = words[:40], words[-40:]
    return {
        "a common word": common[0],
        "the company of each job": "company",
        "one letter": "e",
        "another letter": "c",
        "two common words": " ".join(common[:2]),
        "three common words": " ".join(common[2:5]),
        "the twelve most common words": " ".join(common[:12]),
        "the next twelve": " ".join(common[12:24]),
        "twelve letters": "a b c d e f 1 2 3 4 5 6",
        "twelve rare words": " ".join(rare[:12]),
        "eleven rare words and a common one": " ".join([*rare[:11], common[0]]),
        "eleven common words and a rare one": " ".join([*common[:11], rare[0]]),
        "a rare word": rare[0],
        "a word that no job has": "nothingatall",
        "a word of the title and one of the notes": f"engineer {common[0]}",
        "C++": "C++",
        ".NET": ".NET",
        "CI/CD": "CI/CD",
        "two common words, joined": "/".join(common[:2]),
        "a part of a Japanese text": "\u90fd\u5e81",
    }


def _next_path(link: str) -> str | None:
    """The path of ``rel="next"`` (RFC 8288) of an absolute or relative link."""
    match = re.search(r'<([^>]*)>\s*;\s*rel="?next"?', link)
    return re.sub(r"^https?://[^/]+", "", match[1]) if match else None
