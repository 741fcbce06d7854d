"""The supervisor: the parent process of the local parts, which stops them after their last user."""

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from jobtracker.local.aws import AccessKey, Aws
from jobtracker.local.malware import MalwareScanner
from jobtracker.local.postgres import Postgres
from jobtracker.local.process import write_private
from jobtracker.local.stack import REGION, Stack, try_lock
from jobtracker.local.turnstile import LocalTurnstile


def supervise(stack: Stack) -> None:
    """Run the parts until they have no users; this process has inherited a lock on
    ``stack.supervisor``."""
    os.umask(0o077)  # also of the parts: their data is for this user only
    with stack.open("users") as users:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())

        def is_needed() -> bool:
            # Once there are no users, the lock is kept until the parts have stopped.
            return _reloader_is_alive(stack) or not try_lock(users, fcntl.LOCK_EX)

        with contextlib.ExitStack() as exit_stack:
            try:
                provided = _start(stack, exit_stack, is_needed)
            except Exception as error:
                _write_state(stack, {"error": str(error)})
                raise
            _write_state(stack, provided)
            exit_stack.callback(stack.file("state").unlink, missing_ok=True)
            while is_needed():
                time.sleep(0.2)


def _start(
    stack: Stack, exit_stack: contextlib.ExitStack, is_needed: Callable[[], bool]
) -> dict[str, str]:
    """Start the parts, to be stopped by the exit stack; return the settings that they provide. The
    start ends early when it is not needed any more."""
    folder = Path(stack.folder)
    provided: dict[str, str] = {}
    if "postgres" in stack.parts and is_needed():
        postgres = Postgres(folder / "postgres", folder / "log" / "postgres.log")
        postgres.is_needed = is_needed
        exit_stack.callback(postgres.stop)
        postgres.start()
        if is_needed():
            provided["sqlalchemy.url"] = postgres.make_database("jobtracker")
    if "aws" in stack.parts and is_needed():
        options: Any = {"hosts": stack.hosts, "origins": stack.origins}
        key = AccessKey.of_folder(folder)
        aws = Aws(folder, REGION, stack.aws_port, access_key=key, **options)
        aws.is_needed = is_needed
        exit_stack.callback(aws.stop)
        aws.start()
        if is_needed():
            provided |= aws.deploy()
            scanner = MalwareScanner(aws.client("s3"), provided["s3.bucket"])
            scanner.start()
            exit_stack.callback(scanner.stop)
    if "turnstile" in stack.parts and is_needed():
        turnstile = LocalTurnstile(stack.turnstile_port)
        turnstile.start()
        exit_stack.callback(turnstile.stop)
        provided |= {"turnstile.url": turnstile.url, "turnstile.secret": turnstile.secret}
    return provided


def _write_state(stack: Stack, state: dict[str, str]) -> None:
    write_private(stack.file("state"), json.dumps(state))


def _reloader_is_alive(stack: Stack) -> bool:
    """Return whether there is a ``pserve --reload``, which may be between two workers."""
    try:
        reloader = psutil.Process(int(stack.file("reloader").read_text()))
        alive = reloader.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, psutil.NoSuchProcess):
        alive = False
    if not alive:
        stack.file("reloader").unlink(missing_ok=True)
    return alive


if __name__ == "__main__":
    supervise(Stack(*json.loads(sys.argv[1])))
