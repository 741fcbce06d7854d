"""PostgreSQL alone: pgbench runs the SQL of an endpoint as prepared statements."""

# ruff: noqa: S603 (programs of fixed names)

import re
import subprocess
from argparse import Namespace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from benchmarks.endpoints import ENDPOINTS, Tokens
from benchmarks.environment import Environment
from benchmarks.machine import CORES
from benchmarks.table import markdown
from jobtracker.local.postgres import bin_folder


def report(environment: Environment, tokens: Tokens, arguments: Namespace) -> str:
    """A table of the SQL of each endpoint alone."""
    rows = []
    for endpoint in ENDPOINTS:
        if arguments.only in endpoint.name:
            rate = transactions(
                environment.database_url,
                endpoint.script(tokens.dataset),
                environment.folder,
                seconds=arguments.seconds,
                clients=CORES * 4,
            )
            rows.append([endpoint.name, f"{rate:.0f}"])
    return markdown(["SQL of the endpoint", "pgbench, transactions/s"], rows)


def transactions(url: str, script: str, folder: Path, *, seconds: int, clients: int) -> float:
    """The transactions per second of a script.

    :param clients: the number of connections
    :raises RuntimeError: with the output of pgbench when it fails
    """
    file = folder / "pgbench.sql"
    file.write_text(script)
    parts = urlsplit(url)
    done = subprocess.run(
        [
            bin_folder() / "pgbench",
            f"--host={parse_qs(parts.query)['host'][0]}",
            "--username=postgres",
            "--no-vacuum",
            "--protocol=prepared",
            "--jobs=2",
            f"--client={clients}",
            f"--time={seconds}",
            f"--file={file}",
            parts.path.lstrip("/"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    tps = re.search(r"^tps = ([0-9.]+)", done.stdout, flags=re.MULTILINE)
    failed = re.search(r"number of failed transactions: ([0-9]+)", done.stdout)
    if done.returncode or not tps or (failed and int(failed[1])):
        raise RuntimeError(f"pgbench failed: {done.stdout}{done.stderr}")
    return float(tps[1])
