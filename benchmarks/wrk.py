"""wrk, told to go through a list of requests, and what it says of them."""

# ruff: noqa: S603, S607 (programs of fixed names)

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving import Server

# A row of the file: method, path, token, If-None-Match, body. Each thread has rows of its own, so
# that no two change the same job, and goes through them again and again.
SCRIPT = """
local threads = {}

function setup(thread)
   thread:set("mine", #threads)
   thread:set("of", %(threads)d)
   table.insert(threads, thread)
end

function init(args)
   requests, at = {}, 0
   local number = 0
   for line in io.lines(args[1]) do
      if number %% of == mine or args[2] == "shared" then
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
   at = at %% #requests + 1
   return requests[at]
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
    """One request."""

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
    """What wrk measured. Times in milliseconds."""

    per_second: float
    p50: float
    p99: float
    max: float
    refused: int
    failed: int
    requests: int

    def check(self, server: Server, what: str) -> "Load":
        """The load, where every request was answered with success.

        :raises RuntimeError: with what the server said, where some were not
        """
        if self.refused or self.failed:
            raise RuntimeError(
                f"{server.name}, {what}: of {self.requests} requests {self.refused} were answered "
                f"with an error, and {self.failed} not at all\n{server.told()[-5000:]}"
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
    shared: bool = False,
) -> Load:
    """Ask for as long as that.

    :param shared: whether each thread goes through all of the requests
    """
    threads = min(threads, connections)
    script, rows = folder / "wrk.lua", folder / "wrk.requests"
    script.write_text(SCRIPT % {"threads": threads})
    lines = [str(request) for request in requests]
    shared = shared or len(lines) < threads
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
            "shared" if shared else "apart",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.strip().rpartition("\n")[2])
    return Load(
        per_second=found["requests"] * 1e6 / found["microseconds"],
        p50=found["p50"] / 1000,
        p99=found["p99"] / 1000,
        max=found["max"] / 1000,
        refused=found["status"],
        failed=found["failed"],
        requests=found["requests"],
    )
