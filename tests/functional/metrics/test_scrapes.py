"""What a scrape has of requests to the server."""

import json
import os
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from tests.common.measured_server import MeasuredServer
from tests.common.timeouts import http_request

HOST = b" HTTP/1.1\r\nHost: x\r\n"


def send(server: MeasuredServer, *requests: bytes) -> list[int]:
    """The statuses of requests, each on a connection of its own."""
    statuses = []
    for request in requests:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(request)
            statuses.append(int(connection.recv(65536).split(b" ", 2)[1]))
    return statuses


def test_responses_are_counted_by_method_route_and_status(server: MeasuredServer, token: str):
    before = server.scrape()
    authorized = HOST + f"Authorization: Bearer {token}\r\n".encode()
    assert send(
        server,
        b"GET /jobs" + authorized + b"\r\n",
        b"GET /jobs/?page_size=5" + authorized + b"\r\n",
        b"GET /jobs" + authorized + b"If-None-Match: *\r\n\r\n",
        b"GET /jobs/123456" + authorized + b"\r\n",
        b"GET /jobs/123457" + authorized + b"\r\n",
        b"DELETE /jobs" + authorized + b"\r\n",
        b"GET /jobs" + HOST + b"\r\n",
        b"GET /wp-admin" + HOST + b"\r\n",
        b"GET /x/jobs" + HOST + b"\r\n",
        b"BREW /coffee" + HOST + b"\r\n",
        b"OPTIONS /jobs" + HOST + b"Origin: http://localhost:5173\r\n"
        b"Access-Control-Request-Method: POST\r\n\r\n",
        b"POST /jobs" + HOST + b"Content-Length: 99999999\r\n\r\n",
        b"POST /jobs" + HOST + b"Content-Length: 20000\r\n\r\n",
        b"GET /jobs HTTP/1.1\r\n\r\n",
    ) == [200, 200, 304, 404, 404, 405, 401, 404, 404, 404, 204, 413, 401, 400]
    expected = Counter(
        {
            ("GET", "/jobs", "200"): 2,
            ("GET", "/jobs", "304"): 1,
            ("GET", "/jobs/{job_id}", "404"): 2,
            ("DELETE", "/jobs", "405"): 1,
            ("GET", "/jobs", "401"): 1,
            ("GET", "other", "404"): 2,
            ("other", "other", "404"): 1,
            ("OPTIONS", "/jobs", "204"): 1,
            ("POST", "/jobs", "413"): 1,
            ("POST", "/jobs", "401"): 1,
            ("GET", "/jobs", "400"): 1,
        }
    )

    deadline = time.monotonic() + 20
    while (after := server.scrape()).responses() - before.responses() != expected:
        assert time.monotonic() < deadline, after.responses() - before.responses()
    # Those that the server refuses get to no thread.
    for name in ("http_request_duration_seconds_count", "http_request_queued_seconds_count"):
        assert after.value(name) - before.value(name) == 11


def test_path_of_metrics_is_unknown_to_the_api(server: MeasuredServer):
    response = http_request("GET", f"http://127.0.0.1:{server.port}/metrics", retries=False)
    assert response.status == 404


def test_calls_of_other_systems_are_measured_by_outcome(mixed: MeasuredServer):
    scrape = mixed.scrape()
    name = "gateway_request_duration_seconds_count"
    assert scrape.value(name, service="turnstile", operation="siteverify", outcome="rejected") >= 3
    assert scrape.value(name, service="cognito", operation="InitiateAuth", outcome="rejected") >= 3
    assert scrape.value(name, service="cognito", operation="JWKS", outcome="ok") >= 1
    name = "postgresql_duration_seconds_count"
    assert scrape.value(name, operation="statement", outcome="ok") >= 20
    assert scrape.value(name, operation="checkout", outcome="ok") >= 1


def test_gauges_are_those_of_the_server(mixed: MeasuredServer):
    scrape = mixed.scrape()
    assert scrape.value("workers") == 2
    assert scrape.value("threads_max", pool="write") == 24
    assert scrape.value("postgresql_connections_max", pool="statements") == 40
    assert scrape.value("response_cache_responses") >= 1
    assert scrape.value("access_tokens_cached") >= 1
    assert scrape.value("access_token_verifications_total", outcome="valid") >= 1
    assert scrape.value("sweeper_backlog", part="object_deletions") == 0
    assert ("jobtracker_replica_in_use", frozenset({("pool", "replica")})) not in scrape.samples


def test_respawned_worker_goes_on_with_the_counters_of_the_killed_one(mixed: MeasuredServer):
    (folder,) = mixed.metric_folders
    files = sorted(os.listdir(folder))
    before = mixed.scrape()
    killed = mixed.workers()[0]
    killed.kill()
    deadline = time.monotonic() + 20
    while (scrape := mixed.scrape()).value("worker_starts_total") < 3:
        assert time.monotonic() < deadline
    assert not before.responses() - scrape.responses()
    assert sorted(os.listdir(folder)) == files
    while mixed.scrape().value("threads_max", pool="write") != 24:
        assert time.monotonic() < deadline


def test_rate_limits_that_are_hit_are_counted_by_their_setting(
    start: Callable[..., MeasuredServer],
):
    server = start("granian", **{"rate_limits.auth_by_address": "1/minute"})
    body = {"email": "nobody@example.com", "password": "Wrong-Password-1"}
    assert [server.call("POST", "/auth/cognito/login", body)[0] for _ in range(3)] == [
        *(401, 429, 429)
    ]
    hits = server.scrape()
    assert hits.value("rate_limited_total", limit="rate_limits.auth_by_address") == 2
    assert hits.value("rate_limited_total") == 2
    (folder,) = server.metric_folders
    server.stop()
    assert not Path(folder).exists()
    with pytest.raises(urllib3.exceptions.HTTPError):
        server.scrape()


def test_address_in_use_ends_the_start_with_the_name_of_the_setting(
    granian: MeasuredServer, measured_settings: dict[str, str], tmp_path: Path
):
    used = f"127.0.0.1:{granian.port}"
    other = MeasuredServer(tmp_path, "granian", {**measured_settings, "metrics.listen": used})
    pserve = other.program("pserve", str(other.ini), stderr=subprocess.PIPE)
    _, errors = pserve.communicate(timeout=60)
    assert pserve.returncode == 1
    last = json.loads(errors.decode().strip().splitlines()[-1])["message"]
    assert last.startswith(f"Setting metrics.listen: cannot listen on {used}: Address already in")
