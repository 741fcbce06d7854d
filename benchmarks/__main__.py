"""``python -m benchmarks``: the throughput of JobTracker, of the twin and of the SQL alone."""

# ruff: noqa: T201 (the output of a command)

import argparse
from contextlib import AbstractContextManager

from benchmarks import big, comparison, growth, machine, pgbench, systems, tokens_in_turn, uncached
from benchmarks.candidates import CANDIDATES
from benchmarks.comparison import System
from benchmarks.endpoints import Endpoint, Requests, Tokens
from benchmarks.environment import Environment, start_environment
from benchmarks.server_process import Server


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
            print(f"\n{_observed(environment, tokens, arguments)}")
        else:
            print(f"\n{_compared(environment, tokens, arguments)}\n")
            print(f"{pgbench.report(environment, tokens, arguments)}\n")
            with systems.jobtracker(
                environment, arguments.server, pinned=arguments.pinned
            ) as server:
                systems.warm_up(server, environment, tokens, arguments.connections)
                print(f"{uncached.report(environment, tokens, server, arguments)}\n")
                print(tokens_in_turn.report(environment, server, arguments))
        print(f"\n{machine.versions(environment.database_url)}")
        print(
            f"\n{arguments.rounds} rounds of {arguments.seconds} s, means of ratios and medians of "
            f"all else; {arguments.connections} connections, {systems.WORKERS} workers each"
            f"{', by PgBouncer in transaction mode' if arguments.pgbouncer else ''}"
        )


def _compared(environment: Environment, tokens: Tokens, arguments: argparse.Namespace) -> str:
    def start() -> AbstractContextManager[Server]:
        return systems.jobtracker(environment, arguments.server, pinned=arguments.pinned)

    pair = (
        System("JobTracker", start),
        System("twin", lambda: systems.twin(environment), _requests_to_twin),
    )
    return comparison.report(environment, tokens, pair, arguments, systems.check_equal)


def _requests_to_twin(endpoint: Endpoint) -> Requests:
    return endpoint.twin_requests or endpoint.requests


def _observed(environment: Environment, tokens: Tokens, arguments: argparse.Namespace) -> str:
    """What metrics and the access log cost: JobTracker with and without them."""

    def system(name: str, *, observed: bool) -> System:
        return System(
            name, lambda: systems.jobtracker(environment, arguments.server, name, observed=observed)
        )

    pair = (system("with", observed=True), system("without", observed=False))
    return comparison.report(environment, tokens, pair, arguments)


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


if __name__ == "__main__":
    main()
