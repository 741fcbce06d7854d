"""The process whose children the local parts are."""

import contextlib
import fcntl
import json
import signal
import sys
import time
from collections.abc import Iterator

import psutil

from jobtracker.local.aws import Aws
from jobtracker.local.postgres import Postgres
from jobtracker.local.stack import REGION, Stack
from jobtracker.local.turnstile import LocalTurnstile

SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_TO_BE_THE_ONLY_ONE = 1


def supervise(stack: Stack) -> None:
    """Run the parts for as long as anybody uses them."""
    with stack.open("supervisor") as only_one, stack.open("users") as users:
        if not _is_the_only_one(only_one.fileno()):
            return  # somebody started one at the same moment
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        with contextlib.ExitStack() as down:
            try:
                provided = _start(stack, down)
            except Exception as error:
                _write_state(stack, {"error": str(error)})
                raise
            _write_state(stack, provided)
            down.callback(stack.file("state").unlink, missing_ok=True)
            while not _has_no_users(stack, users.fileno()):
                time.sleep(SECONDS_BETWEEN_LOOKS)


def _is_the_only_one(lock: int) -> bool:
    # Others take this lock for a blink, to see whether there is a supervisor.
    deadline = time.monotonic() + SECONDS_TO_BE_THE_ONLY_ONE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def _start(stack: Stack, down: contextlib.ExitStack) -> dict[str, str]:
    provided: dict[str, str] = {}
    for part in stack.parts:
        provided |= down.enter_context(PARTS[part](stack))
    return provided


def _write_state(stack: Stack, state: dict[str, str]) -> None:
    new = stack.file("state.new")
    new.write_text(json.dumps(state))
    new.replace(stack.file("state"))


def _has_no_users(stack: Stack, users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    if _reloader_is_alive(stack):
        fcntl.flock(users, fcntl.LOCK_UN)
        return False
    return True  # and the lock is kept: who comes now waits until all is down


def _reloader_is_alive(stack: Stack) -> bool:
    """pserve --reload is between two of its servers."""
    try:
        reloader = psutil.Process(int(stack.file("reloader").read_text()))
        alive = reloader.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, psutil.NoSuchProcess):
        alive = False
    if not alive:
        stack.file("reloader").unlink(missing_ok=True)
    return alive


@contextlib.contextmanager
def postgres(stack: Stack) -> Iterator[dict[str, str]]:
    server = Postgres(stack.folder / "postgres", stack.folder / "log" / "postgres.log")
    server.start()
    try:
        yield {"sqlalchemy.url": server.make_database("jobtracker")}
    finally:
        server.stop()


@contextlib.contextmanager
def aws(stack: Stack) -> Iterator[dict[str, str]]:
    emulator = Aws(stack.folder, REGION, stack.aws_port)
    emulator.start()
    try:
        yield emulator.deploy(stack.origins)
    finally:
        emulator.stop()


@contextlib.contextmanager
def turnstile(stack: Stack) -> Iterator[dict[str, str]]:
    verifier = LocalTurnstile(stack.turnstile_port)
    verifier.start()
    try:
        yield {"turnstile.url": verifier.url, "turnstile.secret": verifier.SECRET}
    finally:
        verifier.stop()


PARTS = {"postgres": postgres, "aws": aws, "turnstile": turnstile}


if __name__ == "__main__":
    supervise(Stack.from_json(sys.argv[1]))
