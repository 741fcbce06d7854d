"""The board and a search of 50 jobs compared with a list of 50, without the response cache."""

import statistics
from argparse import Namespace

from benchmarks import systems
from benchmarks.endpoints import Tokens
from benchmarks.environment import Environment
from benchmarks.server_process import Server
from benchmarks.table import markdown, mean_and_error
from benchmarks.wrk import Request

PATHS = {
    "`GET /jobs` (50 jobs)": "/jobs",
    "`GET /jobs/board` (50 jobs)": "/jobs/board",
    "`GET /jobs/search` (50 hits)": "/jobs/search?q=engineer&limit=50",
}


def report(environment: Environment, tokens: Tokens, server: Server, arguments: Namespace) -> str:
    """A table of the throughput of each path, and the time of a request relative to the list.

    The lists of 1,000 users do not fit into the response cache, so each response is made anew.
    """
    rates: dict[str, list[float]] = {name: [] for name in PATHS}
    readers = range(1, tokens.dataset.readers + 1)
    for _ in range(arguments.rounds):
        for name, path in PATHS.items():
            requests = [Request("GET", path, tokens[user]) for user in readers]
            result = systems.measure(server, name, requests, environment, arguments)
            rates[name].append(result.per_second)
    lists = next(iter(rates.values()))
    rows = []
    for name, measured in rates.items():
        times = [one / other for one, other in zip(lists, measured, strict=True)]
        rows.append([name, f"{statistics.median(measured):.0f}", *mean_and_error(times)])
    return markdown(
        ["Without the response cache", "requests/s", "time relative to the list", "standard error"],
        rows,
    )
