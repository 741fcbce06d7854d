"""Many tokens in turn compared with few: the cache of verified tokens."""

import statistics
from argparse import Namespace

from benchmarks.environment import Environment
from benchmarks.server_process import Server
from benchmarks.table import markdown, mean_and_error
from benchmarks.wrk import Request, load

FEW, MANY = 1000, 12_000
# Until each worker has verified each token.
WARM_UP_SECONDS = 30


def report(environment: Environment, server: Server, arguments: Namespace) -> str:
    """A table of the throughput of ``GET /users/me``: the same users with few and many tokens."""
    users = min(FEW, environment.dataset.readers)
    requests = [
        Request("GET", "/users/me", environment.token_of(at % users + 1, jti=str(at)))
        for at in range(MANY)
    ]
    rates: dict[int, list[float]] = {FEW: [], MANY: []}

    def measure(number: int, seconds: int) -> float:
        folder, connections = environment.folder, arguments.connections
        result = load(
            server.url, requests[:number], folder, seconds=seconds, connections=connections
        )
        return result.check(server, f"{number} tokens").per_second

    measure(MANY, WARM_UP_SECONDS)
    for _ in range(arguments.rounds):
        for number, measured in rates.items():
            measured.append(measure(number, arguments.seconds))
    rows = []
    for number, measured in rates.items():
        ratios = [one / other for one, other in zip(measured, rates[FEW], strict=True)]
        rows.append([f"{number:,}", f"{statistics.median(measured):.0f}", *mean_and_error(ratios)])
    head = ["Tokens in turn, `GET /users/me`", "requests/s", "ratio", "standard error"]
    return markdown(head, rows)
