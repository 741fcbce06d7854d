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

# Where this package can be imported from, wherever the ini file is.
CHECKOUT = Path(__file__).parents[2]


def main(global_config: dict[str, str], **settings: str) -> Any:
    # Not imported above: CHECKOUT is used without the packages of the extra "local".
    from alembic.util import CommandError
    from sqlalchemy.exc import OperationalError

    import jobtracker
    from jobtracker.local import migrations
    from jobtracker.local.guard import GuardedApplication
    from jobtracker.local.stack import Stack, local_services

    if "__script__" in global_config:  # of pserve, pshell or alembic
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, end)
    stack = Stack.from_settings(settings)
    services = local_services(settings)
    leave_environment(services)
    is_local = "postgres" in stack.parts  # and migrated below
    local_script = f"local {global_config.get('__script__')}"
    config = {**global_config, "__script__": local_script} if is_local else global_config
    app = jobtracker.main(config, **stack.with_local_settings(settings))
    if is_local and global_config.get("__script__") != "alembic":
        try:
            migrations.upgrade(app.registry["db_engine"])
        except OperationalError as error:  # the disk is full, for example
            raise stack.error(str(error.orig)) from None
        except CommandError as error:  # its revision is unknown
            raise stack.error(str(error)) from None
    app.registry["local_services"] = services  # for the banner
    return GuardedApplication(app, stack.hosts)


def leave_environment(services: Collection[str]) -> None:
    """Remove the variables of libpq and AWS, which are about other servers than the local ones."""
    prefixes = {"sqlalchemy": "PG", "s3": "AWS_"}
    local = tuple(prefix for service, prefix in prefixes.items() if service in services)
    for name in [name for name in os.environ if name.startswith(local)]:
        del os.environ[name]


def end(signal_number: int, _frame: object) -> None:
    """End this process by a signal, once the parts have stopped; a second signal does not wait.

    Until the server handles signals: KeyboardInterrupt would show a traceback.
    """
    signal.signal(signal_number, signal.SIG_DFL)
    atexit._run_exitfuncs()
    os.kill(os.getpid(), signal_number)
