"""Programs that start in milliseconds, as forks of a process that has imported what they need.

A program has neither the command line nor the environment that ``/proc`` shows of that process, and
imports nothing: tests of imports, or of what happens during them, start an interpreter instead.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import inspect
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coverage

import jobtracker
from jobtracker.commands import COMMANDS
from jobtracker.local import CHECKOUT

JOBTRACKER = "jobtracker.commands:main"
PSERVE = "pyramid.scripts.pserve:main"
ALEMBIC = "alembic.config:main"
TOY_APP = "tests.common.toy_app:program"

MAX_MESSAGE = 100_000  # bytes


@functools.cache
def _forking_process() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """The process of this one that forks, and the socket by which programs are asked for."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-m", "tests.common.forks", str(theirs.fileno())],
            cwd=CHECKOUT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    return process, ours


def stop() -> None:
    """End the process that forks, if there is one."""
    if _forking_process.cache_info().currsize:
        process, requests = _forking_process()
        requests.close()
        process.wait()
        _forking_process.cache_clear()


class Fork(subprocess.Popen[Any]):
    """As Popen, of a function instead of an executable.

    :param args: ``module:function``, and ``sys.argv[1:]``
    """

    def _execute_child(self, *arguments: Any) -> None:
        names = inspect.signature(subprocess.Popen._execute_child).parameters  # type: ignore[attr-defined]
        given = dict(zip(names, (self, *arguments), strict=True))
        streams = [given[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        message = {
            "args": [os.fspath(each) for each in given["args"]],
            "cwd": os.fspath(given["cwd"] or os.getcwd()),
            "env": dict(os.environ if given["env"] is None else given["env"]),
            "is_leader": given["start_new_session"],
        }
        _process, requests = _forking_process()
        self._answers, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        inherited = [own if fd == -1 else fd for own, fd in enumerate(streams)]
        with theirs:
            socket.send_fds(requests, [json.dumps(message).encode()], [theirs.fileno(), *inherited])
        self.pid = int(self._answers.recv(20))
        self._child_created = True
        self._closed_child_pipe_fds = True
        for fd in {*streams, getattr(self, "_devnull", -1)} - self._given - {-1}:
            os.close(fd)

    def __init__(self, args: list[Any], **options: Any) -> None:
        streams = (options.get(name) for name in ("stdin", "stdout", "stderr"))
        # Those that are not opened for the program alone.
        self._given = {each if isinstance(each, int) else each.fileno() for each in streams if each}
        super().__init__(args, **options)

    def _internal_poll(self, _deadstate: Any = None) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._wait(0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self.returncode is None:
            if not select.select([self._answers], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(self._answers.recv(20))
            self._answers.close()
        return self.returncode


def run(*args: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """As ``subprocess.run``, with the output."""
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with Fork([*args], **streams, **options) as process:
        out, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(args, process.returncode, out, errors)


def _serve(requests: socket.socket) -> Callable[[], Any]:
    """Fork until the socket is closed; return in each fork, what it shall execute."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ends are not waited for
    while True:
        message, fds, _flags, _address = socket.recv_fds(requests, MAX_MESSAGE, 4)
        if not message:
            return sys.exit
        if os.fork() == 0:
            break
        for fd in fds:
            os.close(fd)
    requests.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    answers = socket.socket(fileno=fds[0])
    if pid := os.fork():
        # The parent, which sends the process id and the exit status.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for fd in fds[1:]:
            os.close(fd)
        answers.send(str(pid).encode())
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        answers.send(str(status).encode())
        return functools.partial(os.kill, os.getpid(), signal.SIGKILL)
    answers.close()
    for own, fd in enumerate(fds[1:]):
        os.dup2(fd, own)
        os.close(fd)
    return _prepare(**json.loads(message))


def _prepare(args: list[str], cwd: str, env: dict[str, str], is_leader: bool) -> Callable[[], Any]:
    if is_leader:
        os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    name, *sys.argv[1:] = args
    module, _, function = name.partition(":")
    sys.argv[0] = module
    program: Callable[[], Any] = getattr(importlib.import_module(module), function)
    return program


def _execute(program: Callable[[], Any]) -> None:
    """Execute a program and end, as Python does, without the half second to take down modules."""
    status = None
    try:
        sys.exit(program())
    except SystemExit as end:
        status = end.code
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if isinstance(status, str):
        sys.stderr.write(f"{status}\n")
        status = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status or 0)


def _import() -> None:
    for name in COMMANDS:
        importlib.import_module(f"jobtracker.commands.{name.replace('-', '_')}")
    for name in (*jobtracker.FEATURES, "jobtracker.http", "jobtracker.servers"):
        for module in pkgutil.iter_modules(importlib.import_module(name).__path__, f"{name}."):
            importlib.import_module(module.name)
    for program in (JOBTRACKER, PSERVE, ALEMBIC, TOY_APP):
        importlib.import_module(program.partition(":")[0])


if __name__ == "__main__":
    _import()
    if measured := coverage.Coverage.current():
        measured.save()  # not by each fork again
    gc.freeze()
    _execute(_serve(socket.socket(fileno=int(sys.argv[1]))))
