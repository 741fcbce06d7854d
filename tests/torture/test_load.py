"""Clients without pause: no failures, and /health always responds; a killed worker is replaced."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil
import pytest
import urllib3

from tests.common.proxy import HOST
from tests.torture.client import Client, print_figures
from tests.torture.instance import Instance

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed"),
]

CLIENTS = 200
USERS = 50
SECONDS = int(os.environ.get("TORTURE_SECONDS", "30"))
JOBS = 10  # of each user at the start
SECONDS_BETWEEN_PROBES = 0.1
SECONDS_FOR_HEALTH = 1

# Two of three requests read. Each request is of a random user.
SCRIPT = r"""
local threads, users = {}, {}
for line in io.lines(os.getenv("USERS")) do
  local token, job = line:match("(%S+) (%S+)")
  users[#users + 1] = {["Authorization"] = "Bearer " .. token,
    ["Content-Type"] = "application/json", job = job}
end
function setup(thread)
  thread:set("seed", #threads)
  threads[#threads + 1] = thread
end
function init()
  math.randomseed(os.time() + seed)
  s2xx, s409, s429, s4xx, s5xx = 0, 0, 0, 0, 0
end
function request()
  local user = users[math.random(#users)]
  local what = math.random(12)
  local headers = {["Authorization"] = user["Authorization"],
    ["Content-Type"] = user["Content-Type"]}
  if what <= 3 then return wrk.format("GET", "/jobs?status=applied", headers) end
  if what <= 5 then return wrk.format("GET", user.job, headers) end
  if what <= 6 then return wrk.format("GET", "/users/me", headers) end
  if what <= 7 then return wrk.format("GET", user.job .. "/notes", headers) end
  if what <= 8 then return wrk.format("GET", "/users/me/settings", headers) end
  if what <= 9 then
    return wrk.format("PATCH", user.job, headers, '{"location": "' .. math.random(1000) .. '"}')
  end
  if what <= 10 then
    return wrk.format("POST", user.job .. "/notes", headers, '{"body": "They called back."}')
  end
  if what <= 11 then
    return wrk.format("PUT", "/users/me/settings", headers, '{"theme": "light"}')
  end
  headers["Idempotency-Key"] = "load-" .. math.random(1e15)
  return wrk.format("POST", "/jobs", headers, '{"company_name": "Acme", "job_title": "x"}')
end
function response(status)
  if status < 300 then s2xx = s2xx + 1
  elseif status == 429 then s429 = s429 + 1
  elseif status < 500 then s4xx = s4xx + 1
  else s5xx = s5xx + 1 end
end
function done(summary, latency)
  local sum = {s2xx = 0, s429 = 0, s4xx = 0, s5xx = 0}
  for _, thread in ipairs(threads) do
    for name in pairs(sum) do sum[name] = sum[name] + thread:get(name) end
  end
  local e = summary.errors
  io.write(string.format('RESULT {"ok": %d, "limited": %d, "other_4xx": %d, "5xx": %d, ',
    sum.s2xx, sum.s429, sum.s4xx, sum.s5xx))
  io.write(string.format('"connect": %d, "read": %d, "write": %d, "timeout": %d, ',
    e.connect, e.read, e.write, e.timeout))
  io.write(string.format('"p50_ms": %.0f, "p99_ms": %.0f, "max_ms": %.0f}\n',
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
"""


def probe(port: int) -> tuple[int, float]:
    """Status and seconds of GET /health on a new connection, as of a load balancer."""
    start = time.monotonic()
    with urllib3.HTTPConnectionPool(HOST, port, timeout=10, retries=False) as http:
        status = http.request("GET", "/health").status
    return status, time.monotonic() - start


class Load:
    """The requests of wrk, of users that are made for them."""

    def __init__(self, server: Instance, new_token: Callable[[], str], folder: Path) -> None:
        self._server, self._folder = server, folder
        lines = []
        for _ in range(USERS):
            token = new_token()
            client = Client(server.port, token)
            job, *_more = [client.make_job() for _ in range(JOBS)]
            client.done("POST", f"{job}/notes", {"body": "x"})
            lines.append(f"{token} {job}\n")
            client.close()
        (folder / "users").write_text("".join(lines))
        (folder / "load.lua").write_text(SCRIPT)

    def start(self, clients: int = CLIENTS) -> subprocess.Popen[str]:
        command = ["wrk", "--threads", "2", "--connections", str(clients), "--timeout", "30"]
        script = ["--duration", str(SECONDS), "--script", str(self._folder / "load.lua")]
        return subprocess.Popen(  # noqa: S603
            [*command, *script, f"http://{HOST}:{self._server.port}"],
            env={**os.environ, "USERS": str(self._folder / "users")},
            stdout=subprocess.PIPE,
            text=True,
        )


def result_of(wrk: subprocess.Popen[str]) -> Any:
    output, _errors = wrk.communicate()
    found = re.search(r"RESULT (.*)", output)
    assert found, output
    return json.loads(found[1])


def test_two_hundred_clients_see_no_failure(
    pserve: Callable[..., Instance], new_token: Callable[[], str], tmp_path: Path
):
    server = pserve()
    wrk = Load(server, new_token, tmp_path).start()
    probes = []
    with ThreadPoolExecutor(50) as threads:
        while wrk.poll() is None:
            probes.append(threads.submit(probe, server.port))
            time.sleep(SECONDS_BETWEEN_PROBES)
    result = result_of(wrk)
    seconds = [each.result()[1] for each in probes]
    p99 = quantiles(seconds, n=100)[98]
    print_figures(
        f"{CLIENTS} clients for {SECONDS} s: {result['ok'] / SECONDS:.0f} requests/s; {result}",
        f"/health, {len(seconds)} times: p99 {p99:.3f} s, max {max(seconds):.3f} s",
    )
    assert {each.result()[0] for each in probes} == {200}
    assert result["5xx"] == 0
    assert [result[name] for name in ("connect", "read", "write", "timeout")] == [0] * 4
    assert result["ok"] > 0.99 * (result["ok"] + result["limited"] + result["other_4xx"])
    assert max(seconds) < SECONDS_FOR_HEALTH


def test_throughput_recovers_after_one_of_two_workers_was_killed(
    pserve: Callable[..., Instance], new_token: Callable[[], str], tmp_path: Path
):
    server = pserve(ini="production.ini", workers=2)
    load = Load(server, new_token, tmp_path)
    before = result_of(load.start(clients=16))
    wrk = load.start(clients=16)
    time.sleep(SECONDS / 3)
    assert server.process is not None
    psutil.Process(server.process.pid).children()[0].kill()
    during, after = result_of(wrk), result_of(load.start(clients=16))
    print_figures(
        f"before one of two workers was killed: {before['ok'] / SECONDS:.0f} requests/s, "
        f"meanwhile {during['ok'] / SECONDS:.0f}, afterwards {after['ok'] / SECONDS:.0f} "
        f"({after['ok'] / before['ok']:.2f} times as many); {during}; {after}"
    )
    assert [each["5xx"] for each in (before, during, after)] == [0, 0, 0]
    assert [after[name] for name in ("connect", "read", "write", "timeout")] == [0] * 4
    assert after["ok"] > before["ok"] / 2  # on a machine that others use too
