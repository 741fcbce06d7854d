"""The two systems that are compared: JobTracker as in production, and the twin."""

from argparse import Namespace
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import urllib3

from benchmarks import ini
from benchmarks.candidates import CANDIDATES
from benchmarks.endpoints import NEW_JOB, Tokens
from benchmarks.environment import Environment, free_port
from benchmarks.server_process import BIN, Server, run_server
from benchmarks.wrk import Load, Request, load

WORKERS = 2
WARM_UP_SECONDS = 12


def jobtracker(
    environment: Environment,
    server: str | None = None,
    name: str = "JobTracker",
    *,
    pinned: bool = False,
    observed: bool = False,
) -> AbstractContextManager[Server]:
    """``pserve`` with production.ini.

    :param server: the name of a candidate that replaces ``[server:main]``
    :param pinned: whether ``cpu_affinity`` is on
    :param observed: whether metrics and the access log are on
    """
    sections = {candidate.name: candidate.section for candidate in CANDIDATES}
    port = free_port()
    metrics = {"metrics.listen": f"127.0.0.1:{free_port()}"}
    file = ini.derive(
        environment.folder / f"{name}.ini",
        app=environment.settings | (metrics if observed else {}),
        port=port,
        workers=WORKERS,
        access_log=observed,
        server=sections[server] if server else None,
        options={"cpu_affinity": "true"} if pinned else {},
    )
    return run_server(name, [BIN / "pserve", file], port, environment.folder, environment.variables)


def twin(environment: Environment) -> AbstractContextManager[Server]:
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
    return run_server("twin", command, port, environment.folder, environment.variables)


def measure(
    server: Server,
    name: str,
    requests: Iterable[Request],
    environment: Environment,
    arguments: Namespace,
) -> Load:
    """The results of the requests, for as long and on as many connections as the arguments say.

    :param name: of the load, for the error message
    :raises RuntimeError: if a request fails
    """
    result = load(
        server.url,
        requests,
        environment.folder,
        seconds=arguments.seconds,
        connections=arguments.connections,
    )
    return result.check(server, name)


def warm_up(server: Server, environment: Environment, tokens: Tokens, connections: int) -> None:
    """Let each worker verify each token, which it does once in the hour that a token is valid:
    otherwise the first rounds of the first endpoint would measure that."""
    requests = [
        Request("GET", "/users/me", tokens[user]) for user in range(1, tokens.dataset.readers + 1)
    ]
    result = load(
        server.url, requests, environment.folder, seconds=WARM_UP_SECONDS, connections=connections
    )
    result.check(server, "warm-up")


def check_equal(one: Server, other: Server, tokens: Tokens) -> None:
    """Check that both systems give the same responses.

    :raises RuntimeError: with the first request whose responses differ
    """
    dataset = tokens.dataset
    gets = [(user, path) for user in (1, 2, dataset.readers) for path in ("/users/me", "/jobs")]
    gets += [(user, f"/jobs/{dataset.first_job_of(user)}") for user in (1, 2)]
    gets += [(2, "/jobs/1")]  # the job of another user
    for user, path in gets:
        responses = [_send(server, "GET", path, tokens[user]) for server in (one, other)]
        (status, body), (other_status, other_body) = responses
        if status != other_status or (status == 200 and body != other_body):
            raise RuntimeError(f"GET {path} of user {user} differs: {responses}")
    if len(_send(one, "GET", "/jobs", tokens[1])[1]) != 50:
        raise RuntimeError("GET /jobs does not return 50 jobs")
    writer = dataset.first_writer
    for method, path, sent in (
        ("POST", "/jobs", NEW_JOB),
        ("PATCH", f"/jobs/{dataset.first_job_of(writer)}", '{"location": "Graz", "tags": null}'),
    ):
        responses = [_send(server, method, path, tokens[writer], sent) for server in (one, other)]
        (status, body), (other_status, other_body) = responses
        if status != other_status or _normalize(body) != _normalize(other_body):
            raise RuntimeError(f"{method} {path} differs: {responses}")


def _send(server: Server, method: str, path: str, token: str, body: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    response = urllib3.request(method, f"{server.url}{path}", headers=headers, body=body)
    return response.status, response.json()


def _normalize(job: Mapping[str, Any]) -> dict[str, Any]:
    """A job without id and times."""
    return {
        name: "..." if name == "id" or name.endswith("_at") else value
        for name, value in job.items()
    }
