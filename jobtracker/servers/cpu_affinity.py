"""The CPUs that this process may use: how many they are, and pinning a worker to one of them."""

import contextlib
import math
import os
import socket
from pathlib import Path


def available_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """The CPUs of the affinity mask, or the container's CPU quota (rounded up) where it is less."""
    return max(1, math.ceil(min(len(_affinity_mask()), _cpu_quota(cgroup))))


def pin_to_cpu() -> None:
    """Pin this thread, and those it starts, to a CPU of the mask that no other worker holds.

    A CPU is held by a bound abstract Unix socket: the kernel releases it when the worker ends,
    however it ends, so a respawned worker gets the CPU of the dead one. Where no CPU is free, and
    on other systems than Linux, nothing is pinned.
    """
    for cpu in _affinity_mask():
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
            try:
                holder.bind(f"\0jobtracker-cpu-{cpu}")
            except OSError:
                continue
            os.sched_setaffinity(0, {cpu})
            holder.detach()  # stays open until the process ends
            return


def _affinity_mask() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _cpu_quota(cgroup: Path) -> float:
    """In CPUs. https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max),
    https://docs.kernel.org/scheduler/sched-bwc.html (cgroup v1)"""
    for names in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):
        with contextlib.suppress(OSError, ValueError):  # no such file; "max" of cgroup v2
            quota, period = " ".join((cgroup / name).read_text() for name in names).split()
            if int(quota) > 0:  # -1 in cgroup v1: none
                return int(quota) / int(period)
    return math.inf
