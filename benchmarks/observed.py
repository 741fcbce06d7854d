"""What metrics and the access log cost: JobTracker without and with them.

The servers are started anew for each round: two equal ones differ by up to a tenth for as long as
they run.
"""

# ruff: noqa: T201 (the output of a command)

import argparse
import contextlib
import statistics
from typing import TypeVar

from benchmarks import systems
from benchmarks.endpoints import ENDPOINTS, Endpoint, Tokens
from benchmarks.environment import Environment
from benchmarks.server_process import Server
from benchmarks.table import markdown

HEAD = ["Endpoint", "without, requests/s", "with, requests/s", "ratio", "standard error"]

T = TypeVar("T")
Rates = list[tuple[float, float]]


def report(environment: Environment, tokens: Tokens, arguments: argparse.Namespace) -> str:
    """A table: of each endpoint the requests per second, and the ratio in the same round."""
    endpoints = [each for each in ENDPOINTS if arguments.only in each.name]
    rates: dict[str, Rates] = {endpoint.name: [] for endpoint in endpoints}
    for number in range(arguments.rounds):
        with contextlib.ExitStack() as stack:
            servers = {
                observed: stack.enter_context(
                    systems.jobtracker(environment, arguments.server, name, observed=observed)
                )
                for observed, name in _in_turn([(False, "without"), (True, "with")], number)
            }
            for server in servers.values():
                systems.warm_up(server, environment, tokens, arguments.connections)
            for endpoint in endpoints:
                pair = {
                    observed: _rate(servers[observed], endpoint, environment, tokens, arguments)
                    for observed in _in_turn([False, True], number)
                }
                rates[endpoint.name].append((pair[False], pair[True]))
        print(f"Round {number + 1}: {_ratios(rates)}", flush=True)
    return markdown(HEAD, [_row(name, pairs) for name, pairs in rates.items()])


def _in_turn(values: list[T], number: int) -> list[T]:
    return values if number % 2 == 0 else values[::-1]


def _rate(
    server: Server,
    endpoint: Endpoint,
    environment: Environment,
    tokens: Tokens,
    arguments: argparse.Namespace,
) -> float:
    requests = list(endpoint.requests(tokens, server.url, f"{server.name}{server.port}"))
    return systems.measure(server, endpoint.name, requests, environment, arguments).per_second


def _ratios(rates: dict[str, Rates]) -> list[float]:
    return [round(pairs[-1][1] / pairs[-1][0], 2) for pairs in rates.values()]


def _row(name: str, pairs: Rates) -> list[str]:
    ratios = [with_ / without for without, with_ in pairs]
    error = statistics.stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else 0
    without, with_ = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    return [
        name,
        f"{without:.0f}",
        f"{with_:.0f}",
        f"{statistics.mean(ratios):.3f}",
        f"{error:.3f}",
    ]
