"""Whether a list takes longer where there is more: in the table, and further down the list."""

# ruff: noqa: T201 (what is found is printed)

import argparse
import re
import statistics
import time

import psycopg
import urllib3

from benchmarks import sides
from benchmarks.data import Rows
from benchmarks.serving import Server
from benchmarks.stage import Stage, with_rows
from benchmarks.table import markdown
from benchmarks.wrk import Load, Request, load

JOBS_EACH = 100
FEW = Rows(readers=500, jobs_each=JOBS_EACH)
MANY = Rows(readers=50_000, jobs_each=JOBS_EACH)
# Users who ask, from all over the table. The pages of a hundred would fit into the 128 MB that
# PostgreSQL takes as it comes (shared_buffers); those of five hundred not, in the larger table.
ASKING = (100, 500)
QUERIES = 20
WALKS = 15
ASKED_FOR_FUNNEL = 50
MAKE_STEPS = """
    INSERT INTO job_steps (user_id, application_id, status, at)
    SELECT user_id, id,
           (ARRAY['saved', 'applied', 'recruiter_screen', 'interviewing', 'onsite', 'offer',
                  'accepted', 'rejected', 'withdrawn', 'ghosted', 'archived'])[
               1 + (id * 7 + k * k * 5 + k) %% 11],
           timestamptz '2026-01-01 08:00:00+00' + k * interval '1 day' + id * interval '1 minute'
    FROM jobs, generate_series(1, 8) k WHERE user_id = %(user)s
"""
HEAD = ("A page of 50 out of", "users who ask", "requests/s", "ratio", "ms p50 / p99")


def report(made: Stage, arguments: argparse.Namespace) -> None:
    """Print both tables."""
    few = with_rows(made, "few", FEW)
    with sides.ours(few, arguments.server, "few") as in_few:
        if not _has_pages(in_few, few):
            print("`GET /jobs` has no `limit`: n/a")
            return
        many = with_rows(made, "many", MANY)
        with sides.ours(many, arguments.server, "many") as in_many:
            both = ((few, in_few), (many, in_many))
            rows = [row for asking in ASKING for row in _pages(both, asking, arguments)]
            print(f"\n{markdown(HEAD, rows)}\n\n{_walk(few, in_few)}\n\n{_funnel(few, in_few)}")


def _has_pages(server: Server, made: Stage) -> bool:
    headers = {"Authorization": f"Bearer {made.token_of(1)}"}
    answer = urllib3.request("GET", f"{server.url}/jobs?limit=7", headers=headers)
    return answer.status == 200 and len(answer.json()) == 7


def _pages(
    both: tuple[tuple[Stage, Server], ...], asking: int, arguments: argparse.Namespace
) -> list[list[str]]:
    asked = []
    for made, server in both:
        step = made.rows.readers // asking
        tokens = [made.token_of(1 + at * step) for at in range(asking)]
        # By the time that a query comes again, its answer is no longer kept.
        paths = [f"/jobs?limit=50&fresh={number}" for number in range(QUERIES)]
        asked.append((server, [Request("GET", path, token) for path in paths for token in tokens]))
    loads: list[list[Load]] = [[] for _ in both]
    for _ in range(arguments.rounds):
        for (server, requests), found in zip(asked, loads, strict=True):
            one = load(
                server.url,
                requests,
                server.output.parent,
                seconds=arguments.seconds,
                connections=arguments.connections,
            )
            found.append(one.check(server, "a page"))
    base = statistics.median(one.per_second for one in loads[0])
    rows = []
    for (made, _server), found in zip(both, loads, strict=True):
        rate = statistics.median(one.per_second for one in found)
        p50, p99 = (statistics.median(getattr(one, at) for one in found) for at in ("p50", "p99"))
        jobs = made.rows.readers * JOBS_EACH
        figures = [f"{rate:.0f}", f"{rate / base:.2f}", f"{p50:.1f} / {p99:.1f}"]
        rows.append([f"{jobs:,}", str(asking), *figures])
    return rows


def _walk(made: Stage, server: Server) -> str:
    """The long list, page by page, as its Link headers lead."""
    token = made.token_of(made.rows.collector)
    taken: list[list[float]] = []
    http = urllib3.PoolManager()
    for number in range(WALKS):
        path: str | None = f"/jobs?limit=1000&fresh={number}"
        seen = set()
        for at in range(100):
            began = time.perf_counter()
            answer = http.request(
                "GET", server.url + str(path), headers={"Authorization": f"Bearer {token}"}
            )
            if at == len(taken):
                taken.append([])
            taken[at].append(time.perf_counter() - began)
            seen |= {job["id"] for job in answer.json()}
            if (path := _next(answer.headers.get("Link", ""))) is None:
                break
        if len(seen) != 5000:
            raise RuntimeError(f"the pages hold {len(seen)} jobs, not 5000")
    first = statistics.median(taken[0])
    rows = [
        [
            f"{at}.",
            f"{statistics.median(page) * 1000:.1f}",
            f"{statistics.median(page) / first:.2f}",
        ]
        for at, page in enumerate(taken, start=1)
    ]
    return markdown(["Page of 1,000 out of 5,000", "ms", "ratio to the first"], rows)


def _funnel(made: Stage, server: Server) -> str:
    """The funnel of the long list, of eight steps for each job, beside a plain list of fifty."""
    with psycopg.connect(made.database_url, autocommit=True) as connection:
        connection.execute(MAKE_STEPS, {"user": made.rows.collector})
        connection.execute("VACUUM (ANALYZE)")
    token = made.token_of(made.rows.collector)
    taken: dict[str, list[float]] = {"/jobs?limit=50": [], "/jobs/stats/funnel?": []}
    http = urllib3.PoolManager()
    for number in range(ASKED_FOR_FUNNEL):
        for path, times in taken.items():
            began = time.perf_counter()
            # Another query each time, so that nothing is left from the last.
            url = f"{server.url}{path}&fresh={number}"
            answer = http.request("GET", url, headers={"Authorization": f"Bearer {token}"})
            times.append(time.perf_counter() - began)
            if answer.status != 200:
                raise RuntimeError(f"GET {path} is answered with {answer.status}")
    base, funnel = (statistics.median(times) for times in taken.values())
    rows = [
        ["a list of 50", f"{base * 1000:.1f}", "1.00"],
        [
            "the funnel of 5,000 jobs with 40,000 steps",
            f"{funnel * 1000:.1f}",
            f"{funnel / base:.2f}",
        ],
    ]
    return markdown(["What", "ms", "ratio"], rows)


def _next(link: str) -> str | None:
    """The path of ``rel="next"`` (RFC 8288), whether the link is absolute or not."""
    found = re.search(r'<([^>]*)>\s*;\s*rel="?next"?', link)
    return re.sub(r"^https?://[^/]+", "", found[1]) if found else None
