"""Run wrk with a list of requests, and parse its results."""

# ruff: noqa: S603, S607 (programs of fixed names)

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server_process import Server

# Each line of the file is a request: method, path, token, If-None-Match, body. Each thread repeats
# lines of its own, so that no two threads change the same job.
SCRIPT = """
local threads = {}

function setup(thread)
   thread:set("thread_number", #threads)
   thread:set("thread_count", %(threads)d)
   table.insert(threads, thread)
end

function init(args)
   requests, position = {}, 0
   local number = 0
   for line in io.lines(args[1]) do
      if number %% thread_count == thread_number or args[2] == "shared" then
         local method, path, token, etag, body =
            line:match("^([^\\t]*)\\t([^\\t]*)\\t([^\\t]*)\\t([^\\t]*)\\t([^\\t]*)$")
         local headers = {}
         if token ~= "" then headers["Authorization"] = "Bearer " .. token end
         if etag ~= "" then headers["If-None-Match"] = etag end
         if body ~= "" then headers["Content-Type"] = "application/json" else body = nil end
         table.insert(requests, wrk.format(method, path, headers, body))
      end
      number = number + 1
   end
end

function request()
   position = position %% #requests + 1
   return requests[position]
end

function done(summary, latency, _)
   local errors = summary.errors
   io.write(string.format(
      '\\n{"requests": %%d, "microseconds": %%d, "p50": %%d, "p99": %%d, "max": %%d, ' ..
      '"status": %%d, "failed": %%d, "bytes": %%d}\\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      latency.max, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
      summary.bytes))
end
"""


@dataclass(frozen=True)
class Request:
    """A request, whose text is a line of the file."""

    method: str
    path: str
    token: str = ""
    etag: str = ""
    body: str = ""

    def __str__(self) -> str:
        fields = (self.method, self.path, self.token, self.etag, self.body)
        if any("\t" in field or "\n" in field for field in fields):
            raise ValueError("a tab or newline in a request")
        return "\t".join(fields)


@dataclass(frozen=True)
class Load:
    """The results of wrk; times are in milliseconds.

    :param status_errors: responses with a status of 400 or more
    :param socket_errors: requests without a response
    """

    per_second: float
    p50: float
    p99: float
    max: float
    status_errors: int
    socket_errors: int
    requests: int

    def check(self, server: Server, what: str) -> "Load":
        """Return the results if all requests succeeded.

        :param what: a name of the load for the error message
        :raises RuntimeError: with the server's output if a request failed
        """
        if self.status_errors or self.socket_errors:
            raise RuntimeError(
                f"{server.name}, {what}: {self.requests} requests, {self.status_errors} error "
                f"responses, {self.socket_errors} without a response\n"
                f"{server.read_output()[-5000:]}"
            )
        return self


def load(
    url: str,
    requests: Iterable[Request],
    folder: Path,
    *,
    seconds: float,
    connections: int,
    threads: int = 2,
) -> Load:
    """Send the requests again and again for some seconds.

    :param folder: for wrk's files
    """
    threads = min(threads, connections)
    script, rows = folder / "wrk.lua", folder / "wrk.requests"
    script.write_text(SCRIPT % {"threads": threads})
    lines = [str(request) for request in requests]
    rows.write_text("".join(f"{line}\n" for line in lines))
    done = subprocess.run(
        [
            "wrk",
            f"--threads={threads}",
            f"--connections={connections}",
            f"--duration={seconds}s",
            "--timeout=20s",
            f"--script={script}",
            url,
            "--",
            str(rows),
            "shared" if len(lines) < threads else "separate",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    results = json.loads(done.stdout.strip().rpartition("\n")[2])
    return Load(
        per_second=results["requests"] * 1e6 / results["microseconds"],
        p50=results["p50"] / 1000,
        p99=results["p99"] / 1000,
        max=results["max"] / 1000,
        status_errors=results["status"],
        socket_errors=results["failed"],
        requests=results["requests"],
    )
