"""The board and a search of 50 jobs compared with a list of 50, without the response cache."""

import statistics
from argparse import Namespace

from benchmarks import systems
from benchmarks.endpoints import Tokens
from benchmarks.environment import Environment
from benchmarks.server_process import Server
from benchmarks.table import markdown
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
    for _ in range(arguments.rounds):
        for name, path in PATHS.items():
            readers = range(1, tokens.dataset.readers + 1)
            requests = [Request("GET", path, tokens[user]) for user in readers]
            result = systems.measure(server, name, requests, environment, arguments)
            rates[name].append(result.per_second)
    medians = {name: statistics.median(each) for name, each in rates.items()}
    baseline = next(iter(medians.values()))
    rows = [[name, f"{rate:.0f}", f"{baseline / rate:.2f}"] for name, rate in medians.items()]
    return markdown(["Without the response cache", "requests/s", "time relative to the list"], rows)
