"""Two hundred clients without pause: no failures, and /health always responds."""

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


def test_two_hundred_clients_see_no_failure(
    pserve: Callable[..., Instance], new_token: Callable[[], str], tmp_path: Path
):
    server = pserve()
    lines = []
    for _ in range(USERS):
        token = new_token()
        client = Client(server.port, token)
        job, *_more = [client.make_job() for _ in range(JOBS)]
        client.done("POST", f"{job}/notes", {"body": "x"})
        lines.append(f"{token} {job}\n")
        client.close()
    (tmp_path / "users").write_text("".join(lines))
    (tmp_path / "load.lua").write_text(SCRIPT)

    wrk = subprocess.Popen(  # noqa: S603
        [
            *("wrk", "--threads", "2", "--connections", str(CLIENTS), "--timeout", "30"),
            *("--duration", str(SECONDS), "--script", str(tmp_path / "load.lua")),
            f"http://{HOST}:{server.port}",
        ],
        env={**os.environ, "USERS": str(tmp_path / "users")},
        stdout=subprocess.PIPE,
        text=True,
    )
    probes = []
    with ThreadPoolExecutor(50) as threads:
        while wrk.poll() is None:
            probes.append(threads.submit(probe, server.port))
            time.sleep(SECONDS_BETWEEN_PROBES)
    output, _errors = wrk.communicate()
    found = re.search(r"RESULT (.*)", output)
    assert found, output
    result = json.loads(found[1])
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
