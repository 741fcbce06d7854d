"""The local stack of development.ini: PostgreSQL, and emulators of Cognito, S3 and Turnstile.

An app factory that starts what the settings leave out, adds the settings of what it started, and
calls :func:`jobtracker.main`. Production does not import this package.
"""

import atexit
import os
import signal
from collections.abc import Collection
from pathlib import Path
from typing import Any

# Of deploy/aws.yaml and migrations/, wherever the ini file is.
CHECKOUT = Path(__file__).parents[2]


def main(global_config: dict[str, str], **settings: str) -> Any:
    """Return the WSGI application of development.ini."""
    # Not imported above: CHECKOUT is used without the packages of the extra "local".
    from sqlalchemy.exc import OperationalError

    import jobtracker
    from jobtracker.local import migrations
    from jobtracker.local.guard import GuardedApplication
    from jobtracker.local.stack import Stack

    if "__script__" in global_config:  # of pserve, pshell or alembic
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, end)
    stack = Stack.from_settings(settings)
    leave_environment(settings, stack.parts)
    app = jobtracker.main(global_config, **stack.with_local_settings(settings))
    if "postgres" in stack.parts and global_config.get("__script__") != "alembic":
        try:
            migrations.upgrade(app.registry["db_engine"])
        except OperationalError as error:  # the disk is full, for example
            raise stack.error(str(error.orig)) from None
    return GuardedApplication(app, stack.hosts)


def leave_environment(settings: dict[str, str], parts: Collection[str]) -> None:
    """Remove the variables of libpq, AWS and proxies, which mean other servers than the parts."""
    prefixes = []
    if "postgres" in parts:
        prefixes.append("PG")
    if "aws" in parts and not settings.get("s3.bucket"):
        prefixes.append("AWS_")
    for name in [name for name in os.environ if name.startswith(tuple(prefixes))]:
        del os.environ[name]
    hosts = ["127.0.0.1", os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, hosts))


def end(signal_number: int, _frame: object) -> None:
    """End this process by a signal, once the parts have stopped; a second signal does not wait.

    Until the server handles signals: KeyboardInterrupt would show a traceback.
    """
    signal.signal(signal_number, signal.SIG_DFL)
    atexit._run_exitfuncs()
    os.kill(os.getpid(), signal_number)
