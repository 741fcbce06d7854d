"""Which processor a worker runs on, and who goes first. All of it is Linux's; elsewhere nothing is
done. What it gains is in benchmarks/README.md."""

import contextlib
import os
from pathlib import Path

from sqlalchemy import make_url

from jobtracker.settings import is_loopback

# How much others go first, as nice(1) has it.
NICE = 5


def pin_to_cpu(number: int) -> None:
    """Keep this process's threads on one processor, another than those of the last number's.

    They take turns by Python's lock anyway, and to wake one up on another processor costs more than
    what most of our requests do.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        for thread in os.listdir("/proc/self/task"):  # and those that they start
            os.sched_setaffinity(int(thread), {cores[number % len(cores)]})


def prioritize_database(url: str) -> None:
    """Where PostgreSQL is on this machine, let it have a processor first: we wait for it anyway.

    Linux shares its processors between sessions first, and each connection is one of PostgreSQL's
    own: https://man7.org/linux/man-pages/man7/sched.7.html (the autogroup feature). Beside workers
    that stay on their processors, one of them can wait for seconds until it runs at all.

    Only where our session is ours alone, as systemd and containers have it: it is another matter in
    somebody's terminal.
    """
    if _is_here(url) and hasattr(os, "getsid") and os.getsid(0) == os.getpid():
        # No such file: no autogroups. Asked too often: it was set a moment ago.
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(NICE))


def _is_here(url: str) -> bool:
    parts = make_url(url)
    hosts = parts.query.get("host", parts.host or "/")
    return all(
        host.startswith("/") or is_loopback(host)
        for host in ([hosts] if isinstance(hosts, str) else hosts)
    )
