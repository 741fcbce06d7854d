"""The board and a search of 50 jobs beside a plain list of 50, none of them from the cache."""

import statistics
from argparse import Namespace

from benchmarks.endpoints import Tokens
from benchmarks.serving import Server
from benchmarks.stage import Stage
from benchmarks.table import markdown
from benchmarks.wrk import Request, load

PATHS = {
    "`GET /jobs` (50 jobs)": "/jobs",
    "`GET /jobs/board` (50 jobs)": "/jobs/board",
    "`GET /jobs/search` (50 hits)": "/jobs/search?q=engineer&limit=50",
}


def report(made: Stage, tokens: Tokens, server: Server, arguments: Namespace) -> str:
    """A table of the requests per second of each path, and how often a list fits into its time.

    All users in turn, so that the response cache holds no list of the next one.
    """
    found: dict[str, list[float]] = {name: [] for name in PATHS}
    for _ in range(arguments.rounds):
        for name, path in PATHS.items():
            readers = range(1, tokens.rows.readers + 1)
            requests = [Request("GET", path, tokens[user]) for user in readers]
            one = load(
                server.url,
                requests,
                made.folder,
                seconds=arguments.seconds,
                connections=arguments.connections,
            )
            found[name].append(one.check(server, name).per_second)
    medians = {name: statistics.median(rates) for name, rates in found.items()}
    plain = next(iter(medians.values()))
    rows = [[name, f"{rate:.0f}", f"{plain / rate:.2f}"] for name, rate in medians.items()]
    return markdown(["Nothing cached", "requests/s", "times the list"], rows)
