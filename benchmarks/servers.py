"""``python -m benchmarks.servers``: waitress, gunicorn and Granian with the same application."""

# ruff: noqa: T201 (the output of a command)

import argparse
import contextlib
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import ini, robustness
from benchmarks.candidates import CANDIDATES, Candidate
from benchmarks.environment import Environment, free_port, start_environment
from benchmarks.server_process import BIN, Server, run_server
from benchmarks.table import markdown
from benchmarks.wrk import Load, Request, load

PATHS = ("/health", "/users/me", "/jobs")


def main() -> None:
    arguments = _arguments()
    chosen = [candidate for candidate in CANDIDATES if candidate.name in arguments.only]
    names = [candidate.name for candidate in chosen]
    with start_environment(readers=1000) as environment, contextlib.ExitStack() as stack:
        token = environment.token_of(1)
        servers = [stack.enter_context(_run(environment, candidate)) for candidate in chosen]
        rows: dict[str, list[str]] = {}

        def add_row(label: str, values: list[str]) -> None:
            rows[label] = values
            print(f"{label}: {dict(zip(names, values, strict=True))}", flush=True)

        for path in PATHS:
            loads = _rounds(servers, path, token, arguments)
            add_row(f"`GET {path}`, requests/s", [f"{_median(each):.0f}" for each in loads])
            add_row(f"`GET {path}`, ms p50 / p99", [_latency(each) for each in loads])
        many = [robustness.many_clients(server, token, arguments.seconds) for server in servers]
        add_row("200 clients of `GET /jobs`, requests/s", [f"{rate:.0f}" for rate, _ in many])
        add_row("`/health` beside them, ms p50 / p99 / max", [str(health) for _, health in many])
        add_row("Memory, MB PSS of each process", [_memory(server) for server in servers])
        for kind, values in _by_key([robustness.slow_clients(each, token) for each in servers]):
            add_row(f"`GET /users/me` beside 100 {kind}, ms p50 / p99 / max", values)
        add_row("Memory after that", [_memory(server) for server in servers])
        for key, values in _by_key([robustness.environ(server) for server in servers]):
            add_row(f"environ `{key}`", values)
        for name, values in _by_key([robustness.unusual_requests(server) for server in servers]):
            add_row(f"response to {name}", values)
        add_row("Memory after that (20 MB of body)", [_memory(server) for server in servers])
        for name, values in _by_key([vars(robustness.shut_down(server)) for server in servers]):
            add_row(f"SIGTERM: {name}", values)
        print()
        print(markdown(["", *names], [[label, *values] for label, values in rows.items()]))
        if arguments.output:
            for server in servers:
                print(f"\n--- {server.name}\n{server.read_output()}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.servers", description=__doc__)
    names = [candidate.name for candidate in CANDIDATES]
    parser.add_argument("--seconds", type=int, default=4, help="of each load")
    parser.add_argument("--rounds", type=int, default=3, help="of each load")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", nargs="+", default=names, choices=names)
    parser.add_argument("--output", action="store_true", help="print the output of the servers")
    return parser.parse_args()


def _run(
    environment: Environment, candidate: Candidate
) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    file = ini.derive(
        environment.folder / f"{candidate.name}.ini",
        app={**environment.settings, "use": "call:benchmarks.diagnostic_app:main"},
        port=port,
        workers=2,
        server=candidate.section,
    )
    folder = Path(environment.folder / candidate.name)
    folder.mkdir()
    return run_server(candidate.name, [BIN / "pserve", file], port, folder, environment.variables)


def _rounds(
    servers: list[Server], path: str, token: str, arguments: argparse.Namespace
) -> list[list[Load]]:
    """The loads of each server, in alternating rounds."""
    loads: list[list[Load]] = [[] for _ in servers]
    for _ in range(arguments.rounds):
        for server, results in zip(servers, loads, strict=True):
            result = load(
                server.url,
                [Request("GET", path, token)],
                server.output.parent,
                seconds=arguments.seconds,
                connections=arguments.connections,
            )
            results.append(result.check(server, path))
    return loads


def _median(loads: list[Load]) -> float:
    return statistics.median(each.per_second for each in loads)


def _latency(loads: list[Load]) -> str:
    p50 = statistics.median(each.p50 for each in loads)
    p99 = statistics.median(each.p99 for each in loads)
    return f"{p50:.1f} / {p99:.1f}"


def _memory(server: Server) -> str:
    return " + ".join(f"{pss / 2**20:.0f}" for pss, _rss in server.memory())


def _by_key(results: Sequence[Mapping[str, object]]) -> list[tuple[str, list[str]]]:
    """Each key with its values of all servers."""
    return [(key, [str(each.get(key, "")) for each in results]) for key in results[0]]


if __name__ == "__main__":
    main()
