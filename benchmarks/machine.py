"""What it was measured on, and what the servers took of it."""

# ruff: noqa: S607 (programs of fixed names)

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg

from benchmarks.serving import Server
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
    """A line of the server's resident memory: the sum, and each process."""
    found = server.memory()
    each = ", ".join(f"{pss / 2**20:.0f} ({rss / 2**20:.0f})" for pss, rss in found)
    total = sum(pss for pss, _rss in found) / 2**20
    return f"Memory of {server.name} after the load: {total:.0f} MB; PSS (RSS) by process: {each}"


def versions(database_url: str) -> str:
    """A table for the README."""
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
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _wrk() -> str:
    done = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).split("[")[0].removeprefix("wrk").strip()
