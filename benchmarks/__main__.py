"""``python -m benchmarks``: JobTracker beside its twin and beside the database alone."""

# ruff: noqa: T201 (what is found is printed)

import argparse
import statistics

from benchmarks import big, machine, pgbench, sides, uncached
from benchmarks.candidates import CANDIDATES
from benchmarks.endpoints import ENDPOINTS, Endpoint, Tokens
from benchmarks.serving import Server
from benchmarks.stage import Stage, stage
from benchmarks.table import markdown
from benchmarks.wrk import Load, load

HEAD = (
    "Endpoint",
    "JobTracker, requests/s",
    "twin, requests/s",
    "ratio",
    "JobTracker, ms p50 / p99",
    "twin, ms p50 / p99",
    "pgbench, transactions/s",
)
NONE = "n/a"


def main() -> None:
    arguments = _arguments()
    with stage(0 if arguments.big else arguments.readers) as made:
        if arguments.big:
            big.report(made, arguments)
            print(f"\n{machine.versions(made.database_url)}")
            return
        tokens = Tokens(made)
        with (
            sides.ours(made, arguments.server, pinned=arguments.pinned) as ours,
            sides.twin(made) as twin,
        ):
            sides.compare(ours, twin, tokens)
            rows = [
                _row(endpoint, made, tokens, (ours, twin), arguments)
                for endpoint in ENDPOINTS
                if arguments.only in endpoint.name
            ]
            print(f"\n{markdown(HEAD, rows)}\n")
            print(f"{uncached.report(made, tokens, ours, arguments)}\n")
            print(machine.memory(ours))
            print(machine.memory(twin))
        print(f"\n{machine.versions(made.database_url)}")
        print(
            f"\n{arguments.rounds} rounds of {arguments.seconds} s in turns, medians; "
            f"{arguments.connections} connections, {sides.WORKERS} workers on each side"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="of each round (default: 4)")
    parser.add_argument("--rounds", type=int, default=5, help="of each side (default: 5)")
    parser.add_argument("--connections", type=int, default=32, help="of wrk (default: 32)")
    parser.add_argument("--readers", type=int, default=1000, help="users of 50 jobs each")
    parser.add_argument("--only", default="", help="rows with this in their name")
    parser.add_argument("--pinned", action="store_true", help="with cpu_affinity = true")
    parser.add_argument("--big", action="store_true", help="five million jobs, and a long list")
    parser.add_argument(
        "--server",
        choices=[one.name for one in CANDIDATES],
        help="serve JobTracker by this instead of what production.ini says",
    )
    return parser.parse_args()


def _row(
    endpoint: Endpoint,
    made: Stage,
    tokens: Tokens,
    servers: tuple[Server, Server],
    arguments: argparse.Namespace,
) -> list[str]:
    asked = (endpoint.requests, endpoint.of_twin or endpoint.requests)
    loads: tuple[list[Load], list[Load]] = ([], [])
    for number in range(arguments.rounds):
        for server, requests_of, found in zip(servers, asked, loads, strict=True):
            requests = list(requests_of(tokens, server.url, f"{server.name}{number}"))
            if not requests:
                continue
            one = load(
                server.url,
                requests,
                made.folder,
                seconds=arguments.seconds,
                connections=arguments.connections,
            )
            found.append(one.check(server, endpoint.name))
    alone = pgbench.transactions(
        made.database_url,
        endpoint.script(tokens.rows),
        made.folder,
        seconds=arguments.seconds,
        clients=machine.CORES * 4,
    )
    row = _figures(endpoint.name, loads, alone)
    print(" | ".join(row), flush=True)
    return row


def _figures(name: str, loads: tuple[list[Load], list[Load]], alone: float) -> list[str]:
    if not loads[0]:
        return [name, NONE, NONE, NONE, NONE, NONE, f"{alone:.0f}"]
    ours, twin = (statistics.median(one.per_second for one in found) for found in loads)
    latencies = [
        f"{statistics.median(one.p50 for one in found):.1f} / "
        f"{statistics.median(one.p99 for one in found):.1f}"
        for found in loads
    ]
    return [name, f"{ours:.0f}", f"{twin:.0f}", f"{ours / twin:.2f}", *latencies, f"{alone:.0f}"]


if __name__ == "__main__":
    main()
