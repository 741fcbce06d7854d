"""``python -m benchmarks``: the throughput of JobTracker, of the twin and of the SQL alone."""

# ruff: noqa: T201 (the output of a command)

import argparse
import statistics

from benchmarks import big, growth, machine, observed, pgbench, systems, tokens_in_turn, uncached
from benchmarks.candidates import CANDIDATES
from benchmarks.endpoints import ENDPOINTS, Endpoint, Tokens
from benchmarks.environment import Environment, start_environment
from benchmarks.server_process import Server
from benchmarks.table import markdown
from benchmarks.wrk import Load

NONE = "n/a"


def main() -> None:
    arguments = _arguments()
    is_other = arguments.big or arguments.growth
    readers = 0 if is_other else arguments.readers
    with start_environment(readers, pgbouncer=arguments.pgbouncer) as environment:
        if is_other:
            if arguments.big:
                big.report(environment, arguments)
            if arguments.growth:
                growth.report(environment)
            print(f"\n{machine.versions(environment.database_url)}")
            return
        tokens = Tokens(environment)
        if arguments.observed:
            print(f"\n{observed.report(environment, tokens, arguments)}")
            print(f"\n{machine.versions(environment.database_url)}")
            return
        with (
            systems.jobtracker(
                environment, arguments.server, pinned=arguments.pinned
            ) as jobtracker,
            systems.twin(environment) as twin,
        ):
            servers = (jobtracker, twin)
            systems.check_equal(*servers, tokens)
            for server in servers:
                systems.warm_up(server, environment, tokens, arguments.connections)
            rows = [
                _row(endpoint, environment, tokens, servers, arguments)
                for endpoint in ENDPOINTS
                if arguments.only in endpoint.name
            ]
            print(f"\n{markdown(_head(servers), rows)}\n")
            print(f"{uncached.report(environment, tokens, jobtracker, arguments)}\n")
            print(f"{tokens_in_turn.report(environment, jobtracker, arguments)}\n")
            print(machine.memory(jobtracker))
            print(machine.memory(twin))
        print(f"\n{machine.versions(environment.database_url)}")
        print(
            f"\n{arguments.rounds} alternating rounds of {arguments.seconds} s, medians; "
            f"{arguments.connections} connections, {systems.WORKERS} workers each"
            f"{', by PgBouncer in transaction mode' if arguments.pgbouncer else ''}"
        )


def _head(servers: tuple[Server, Server]) -> list[str]:
    names = [server.name for server in servers]
    rates = [f"{name}, requests/s" for name in names]
    latencies = [f"{name}, ms p50 / p99" for name in names]
    return ["Endpoint", *rates, "ratio", *latencies, "pgbench, transactions/s"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="of each round (default: 4)")
    parser.add_argument("--rounds", type=int, default=5, help="for each system (default: 5)")
    parser.add_argument("--connections", type=int, default=32, help="of wrk (default: 32)")
    parser.add_argument("--readers", type=int, default=2000, help="users of 50 jobs each")
    parser.add_argument("--only", default="", help="only endpoints whose name contains this")
    parser.add_argument("--pinned", action="store_true", help="with cpu_affinity = true")
    parser.add_argument(
        "--pgbouncer", action="store_true", help="both systems by PgBouncer, in transaction mode"
    )
    parser.add_argument(
        "--observed",
        action="store_true",
        help="compare JobTracker with metrics and the access log, instead of the twin, with itself",
    )
    parser.add_argument("--big", action="store_true", help="five million jobs, and a long list")
    parser.add_argument("--growth", action="store_true", help="bytes of rows, and of WAL")
    parser.add_argument(
        "--server",
        choices=[candidate.name for candidate in CANDIDATES],
        help="the server of JobTracker, instead of that of production.ini",
    )
    arguments = parser.parse_args()
    if arguments.observed and arguments.pinned:
        parser.error("--observed runs two servers, and CPUs are pinned for one")
    return arguments


def _row(
    endpoint: Endpoint,
    environment: Environment,
    tokens: Tokens,
    servers: tuple[Server, Server],
    arguments: argparse.Namespace,
) -> list[str]:
    factories = (endpoint.requests, endpoint.twin_requests or endpoint.requests)
    loads: tuple[list[Load], list[Load]] = ([], [])
    alternating = list(zip(servers, factories, loads, strict=True))
    for number in range(arguments.rounds):
        for server, make_requests, results in alternating:
            requests = list(make_requests(tokens, server.url, f"{server.name}{number}"))
            if not requests:
                continue
            results.append(systems.measure(server, endpoint.name, requests, environment, arguments))
        alternating.reverse()  # the load of the machine changes with time
    transactions = pgbench.transactions(
        environment.database_url,
        endpoint.script(tokens.dataset),
        environment.folder,
        seconds=arguments.seconds,
        clients=machine.CORES * 4,
    )
    row = _figures(endpoint.name, loads, transactions)
    print(" | ".join(row), flush=True)
    return row


def _figures(name: str, loads: tuple[list[Load], list[Load]], transactions: float) -> list[str]:
    if not loads[0]:
        return [name, NONE, NONE, NONE, NONE, NONE, f"{transactions:.0f}"]
    jobtracker, twin = (
        statistics.median(result.per_second for result in results) for results in loads
    )
    ratio = statistics.median(
        one.per_second / other.per_second for one, other in zip(*loads, strict=True)
    )
    latencies = [
        f"{statistics.median(result.p50 for result in results):.1f} / "
        f"{statistics.median(result.p99 for result in results):.1f}"
        for results in loads
    ]
    rates = [f"{jobtracker:.0f}", f"{twin:.0f}", f"{ratio:.2f}"]
    return [name, *rates, *latencies, f"{transactions:.0f}"]


if __name__ == "__main__":
    main()
