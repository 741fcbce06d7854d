"""Two systems compared in rounds, for each of which both are started anew.

Two equal servers differ by up to a tenth for as long as they run, so rounds of the same servers
would not show how far a ratio can be trusted.
"""

# ruff: noqa: T201 (the output of a command)

import argparse
import contextlib
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import starmap

from benchmarks import machine, systems
from benchmarks.endpoints import ENDPOINTS, Endpoint, Requests, Tokens
from benchmarks.environment import Environment
from benchmarks.server_process import Server
from benchmarks.table import markdown, mean_and_error
from benchmarks.wrk import Load


@dataclass(frozen=True)
class System:
    """:param requests_of: the factory of an endpoint's requests"""

    name: str
    start: Callable[[], AbstractContextManager[Server]]
    requests_of: Callable[[Endpoint], Requests] = lambda endpoint: endpoint.requests


Pair = tuple[Load, Load]


def report(
    environment: Environment,
    tokens: Tokens,
    pair: tuple[System, System],
    arguments: argparse.Namespace,
    check: Callable[[Server, Server, Tokens], None] | None = None,
) -> str:
    """A table: of each endpoint the rates and latencies, and the first system's rate relative to
    the second's in the same round. Memory of the last round's servers.

    :param check: is called with the servers of each round
    """
    endpoints = [endpoint for endpoint in ENDPOINTS if arguments.only in endpoint.name]
    loads: dict[str, list[Pair]] = {endpoint.name: [] for endpoint in endpoints}
    for number in range(arguments.rounds):
        # The load of the machine changes with time.
        turn = pair if number % 2 == 0 else pair[::-1]
        with contextlib.ExitStack() as stack:
            started = {system.name: stack.enter_context(system.start()) for system in turn}
            servers = (started[pair[0].name], started[pair[1].name])
            if check is not None:
                check(*servers, tokens)
            for server in servers:
                systems.warm_up(server, environment, tokens, arguments.connections)
            for endpoint in endpoints:
                measured = {}
                for system in turn:
                    server = started[system.name]
                    make_requests = system.requests_of(endpoint)
                    # Sessions of PostgreSQL make a plan for good after the fifth execution.
                    for is_warm in (False, True):
                        requests = make_requests(
                            tokens, server.url, f"{server.name}{number}{is_warm}"
                        )
                        measured[system.name] = systems.measure(
                            server, endpoint.name, requests, environment, arguments
                        )
                loads[endpoint.name].append((measured[pair[0].name], measured[pair[1].name]))
            memory = [machine.memory(server) for server in servers]
        print(f"Round {number + 1}: {_last_ratios(loads)}", flush=True)
    names = [system.name for system in pair]
    head = ["Endpoint", *(f"{name}, requests/s" for name in names), "ratio", "standard error"]
    head += [f"{name}, ms p50 / p99" for name in names]
    return "\n".join([markdown(head, list(starmap(_row, loads.items()))), "", *memory])


def _last_ratios(loads: dict[str, list[Pair]]) -> list[float]:
    last = [pairs[-1] for pairs in loads.values()]
    return [round(one.per_second / other.per_second, 2) for one, other in last]


def _row(name: str, pairs: list[Pair]) -> list[str]:
    of_systems = list(zip(*pairs, strict=True))
    rates = [f"{statistics.median(load.per_second for load in loads):.0f}" for loads in of_systems]
    latencies = [
        f"{statistics.median(load.p50 for load in loads):.1f} / "
        f"{statistics.median(load.p99 for load in loads):.1f}"
        for loads in of_systems
    ]
    ratios = [one.per_second / other.per_second for one, other in pairs]
    return [name, *rates, *mean_and_error(ratios), *latencies]
