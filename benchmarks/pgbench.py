"""The database alone: pgbench runs the SQL of an endpoint, prepared, as fast as it can."""

# ruff: noqa: S603 (programs of fixed names)

import re
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from jobtracker.local.postgres import bin_folder


def transactions(url: str, script: str, folder: Path, *, seconds: int, clients: int) -> float:
    """How often a second the script is gone through."""
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
    found = re.search(r"^tps = ([0-9.]+)", done.stdout, flags=re.MULTILINE)
    failed = re.search(r"number of failed transactions: ([0-9]+)", done.stdout)
    if done.returncode or not found or (failed and int(failed[1])):
        raise RuntimeError(f"pgbench failed: {done.stdout}{done.stderr}")
    return float(found[1])
