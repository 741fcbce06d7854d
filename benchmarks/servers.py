"""``python -m benchmarks.servers``: waitress, gunicorn and Granian under the same application."""

# ruff: noqa: T201 (what is found is printed)

import argparse
import contextlib
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import ini, manners
from benchmarks.candidates import CANDIDATES, Candidate
from benchmarks.serving import BIN, Server, serving
from benchmarks.stage import Stage, free_port, stage
from benchmarks.table import markdown
from benchmarks.wrk import Load, Request, load

PATHS = ("/health", "/users/me", "/jobs")


def main() -> None:
    arguments = _arguments()
    chosen = [one for one in CANDIDATES if one.name in arguments.only]
    names = [one.name for one in chosen]
    with stage(readers=1000) as made, contextlib.ExitStack() as running:
        token = made.token_of(1)
        servers = [running.enter_context(_serving(made, one)) for one in chosen]
        rows: dict[str, list[str]] = {}

        def tell(what: str, values: list[str]) -> None:
            rows[what] = values
            print(f"{what}: {dict(zip(names, values, strict=True))}", flush=True)

        for path in PATHS:
            loads = _rounds(servers, path, token, arguments)
            tell(f"`GET {path}`, requests a second", [f"{_median(one):.0f}" for one in loads])
            tell(f"`GET {path}`, ms p50 / p99", [_latency(one) for one in loads])
        crowds = [manners.in_a_crowd(server, token, arguments.seconds) for server in servers]
        tell("200 clients of `GET /jobs`, requests a second", [f"{one[0]:.0f}" for one in crowds])
        tell("`/health` beside them, ms p50 / p99 / worst", [str(one[1]) for one in crowds])
        tell("Memory, MB PSS of each process", [_memory(server) for server in servers])
        for what, values in _by_row([manners.beside_slow_clients(one, token) for one in servers]):
            tell(f"`GET /users/me` beside 100 {what}, ms p50 / p99 / worst", values)
        tell("Memory after that", [_memory(server) for server in servers])
        for what, values in _by_row([manners.seen_by_the_application(one) for one in servers]):
            tell(f"environ `{what}`", values)
        for what, values in _by_row([manners.oddities(server) for server in servers]):
            tell(f"answer to {what}", values)
        tell("Memory after that (20 MB of body)", [_memory(server) for server in servers])
        for what, values in _by_row([vars(manners.ending(server)) for server in servers]):
            tell(f"SIGTERM: {what}", values)
        print()
        print(markdown(["", *names], [[what, *values] for what, values in rows.items()]))
        if arguments.output:
            for server in servers:
                print(f"\n--- {server.name}\n{server.told()}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.servers", description=__doc__)
    names = [one.name for one in CANDIDATES]
    parser.add_argument("--seconds", type=int, default=4, help="of each load")
    parser.add_argument("--rounds", type=int, default=3, help="of each load")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", nargs="+", default=names, choices=names)
    parser.add_argument("--output", action="store_true", help="print what the servers said")
    return parser.parse_args()


def _serving(made: Stage, candidate: Candidate) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    file = ini.derive(
        made.folder / f"{candidate.name}.ini",
        app={**made.settings, "use": "call:benchmarks.slow:main"},
        port=port,
        workers=2,
        server=candidate.section,
    )
    folder = Path(made.folder / candidate.name)
    folder.mkdir()
    return serving(candidate.name, [BIN / "pserve", file], port, folder, made.environment)


def _rounds(
    servers: list[Server], path: str, token: str, arguments: argparse.Namespace
) -> list[list[Load]]:
    """The loads of each server; the servers take turns."""
    loads: list[list[Load]] = [[] for _ in servers]
    for _ in range(arguments.rounds):
        for server, found in zip(servers, loads, strict=True):
            one = load(
                server.url,
                [Request("GET", path, token)],
                server.output.parent,
                seconds=arguments.seconds,
                connections=arguments.connections,
            )
            found.append(one.check(server, path))
    return loads


def _median(loads: list[Load]) -> float:
    return statistics.median(one.per_second for one in loads)


def _latency(loads: list[Load]) -> str:
    p50 = statistics.median(one.p50 for one in loads)
    p99 = statistics.median(one.p99 for one in loads)
    return f"{p50:.1f} / {p99:.1f}"


def _memory(server: Server) -> str:
    return " + ".join(f"{pss / 2**20:.0f}" for pss, _rss in server.memory())


def _by_row(found: Sequence[Mapping[str, object]]) -> list[tuple[str, list[str]]]:
    """Of one dictionary for each server: each key with the values of all."""
    return [(what, [str(one.get(what, "")) for one in found]) for what in found[0]]


if __name__ == "__main__":
    main()
