"""The two sides: JobTracker as production serves it, and the twin; and that they say the same."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import urllib3

from benchmarks import ini
from benchmarks.candidates import CANDIDATES
from benchmarks.endpoints import NEW_JOB, Tokens
from benchmarks.serving import BIN, Server, serving
from benchmarks.stage import Stage, free_port

WORKERS = 2


def ours(
    made: Stage, server: str | None = None, name: str = "JobTracker", *, pinned: bool = False
) -> AbstractContextManager[Server]:
    """``pserve`` with production.ini, by its own server or one of the candidates."""
    sections = {one.name: one.section for one in CANDIDATES}
    port = free_port()
    file = ini.derive(
        made.folder / f"{name}.ini",
        app=made.settings,
        port=port,
        workers=WORKERS,
        server=sections[server] if server else None,
        options={"cpu_affinity": "true"} if pinned else {},
    )
    return serving(name, [BIN / "pserve", file], port, made.folder, made.environment)


def twin(made: Stage) -> AbstractContextManager[Server]:
    """uvicorn with the twin."""
    port = free_port()
    command: list[str | Path] = [
        BIN / "uvicorn",
        "benchmarks.twin:app",
        "--host=127.0.0.1",
        f"--port={port}",
        f"--workers={WORKERS}",
        "--loop=uvloop",
        "--http=httptools",
        "--no-access-log",
        "--log-level=warning",
    ]
    return serving("twin", command, port, made.folder, made.environment)


def compare(one: Server, other: Server, tokens: Tokens) -> None:
    """See that both answer the same.

    :raises RuntimeError: with the request that they disagree about
    """
    rows = tokens.rows
    asked = [(user, path) for user in (1, 2, rows.readers) for path in ("/users/me", "/jobs")]
    asked += [(1, f"/jobs/{rows.first_job_of(1)}"), (2, f"/jobs/{rows.first_job_of(2)}")]
    asked += [(2, "/jobs/1")]  # somebody else's
    for user, path in asked:
        answers = [_ask(server, "GET", path, tokens[user]) for server in (one, other)]
        (first, body), (second, other_body) = answers
        if first != second or (first == 200 and body != other_body):
            raise RuntimeError(f"GET {path} of user {user} is answered differently: {answers}")
    if len(_ask(one, "GET", "/jobs", tokens[1])[1]) != 50:
        raise RuntimeError("GET /jobs does not answer with 50 jobs")
    writer = rows.first_writer
    for method, path, sent in (
        ("POST", "/jobs", NEW_JOB),
        ("PATCH", f"/jobs/{rows.first_job_of(writer)}", '{"location": "Graz", "tags": null}'),
    ):
        answers = [_ask(server, method, path, tokens[writer], sent) for server in (one, other)]
        (first, body), (second, other_body) = answers
        if first != second or _stable(body) != _stable(other_body):
            raise RuntimeError(f"{method} {path} is answered differently: {answers}")


def _ask(server: Server, method: str, path: str, token: str, body: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    answer = urllib3.request(method, f"{server.url}{path}", headers=headers, body=body)
    return answer.status, answer.json()


def _stable(job: Mapping[str, Any]) -> dict[str, Any]:
    """A job but for what differs from one to the next."""
    return {
        name: "..." if name == "id" or name.endswith("_at") else value
        for name, value in job.items()
    }
