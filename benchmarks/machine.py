"""The machine and the versions of a measurement, and the memory of the servers."""

# ruff: noqa: S607 (programs of fixed names)

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg

from benchmarks.server_process import Server
from benchmarks.table import markdown

CORES = os.cpu_count() or 1
PACKAGES = (
    "pyramid",
    "cornice",
    "SQLAlchemy",
    "psycopg",
    "orjson",
    "PyJWT",
    "waitress",
    "gunicorn",
    "granian",
    "uvicorn",
    "uvloop",
    "httptools",
    "starlette",
    "asyncpg",
)


def memory(server: Server) -> str:
    """The server's memory in MB as one line: the sum of PSS, and PSS and RSS of each process."""
    processes = server.memory()
    each = ", ".join(f"{pss / 2**20:.0f} ({rss / 2**20:.0f})" for pss, rss in processes)
    total = sum(pss for pss, _rss in processes) / 2**20
    return f"Memory of {server.name} after the load: {total:.0f} MB; PSS (RSS) by process: {each}"


def versions(database_url: str) -> str:
    """A table of the machine and the versions, for README.md."""
    with psycopg.connect(database_url) as connection:
        postgres = str(connection.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]
    rows = [
        ["machine", f"{CORES} cores, {psutil.virtual_memory().total / 2**30:.0f} GB; {_cpu()}"],
        ["system", f"{platform.system()} {platform.release()}"],
        ["Python", platform.python_version()],
        ["PostgreSQL", postgres],
        *([package, version(package)] for package in PACKAGES),
        ["wrk", _wrk()],
    ]
    return markdown(["", "version"], rows)


def _cpu() -> str:
    match = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return match[1] if match else platform.machine()


def _wrk() -> str:
    done = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).split("[")[0].removeprefix("wrk").strip()
