"""The server of development.ini: waitress, after a banner with the addresses of all parts, and a
worker beside it."""

import contextlib
import os
import select
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any
from urllib.parse import unquote

from sqlalchemy import make_url

from jobtracker.aws import endpoint_of
from jobtracker.local.aws import CONFIRMATION_CODE, RESET_CODE
from jobtracker.local.process import check_port
from jobtracker.local.stack import LocalError
from jobtracker.local.turnstile import DUMMY_TOKEN
from jobtracker.servers.waitress_server import serve
from jobtracker.worker import Worker

# Seconds for the batch at hand of the worker.
SECONDS_TO_STOP = 10

STDIN = 0


def server_factory(
    global_config: dict[str, str], host: str, port: str, **options: str
) -> Callable[[Any], None]:
    """Return a server for PasteDeploy; LocalError, before the stack starts, if the port is used.

    With ``pserve development.ini parent=PID`` it stops when that process has ended, or the terminal
    of its standard input is closed.
    """
    if parent := global_config.get("parent"):
        threading.Thread(target=stop_without, args=[int(parent)], daemon=True).start()
    try:
        check_port(host, int(port), "port in [server:main]")
    except RuntimeError as error:
        raise LocalError(f"JobTracker does not start: {error}") from None

    def serve_with_banner(app: Any) -> None:
        local = app.registry["local_services"]
        print(banner(app.registry.settings, f"http://{host}:{port}", local), flush=True)
        try:
            with working(app.registry):
                serve(app, host=host, port=port, **options)
        except OSError as error:  # the port was taken in the meantime
            raise LocalError(f"JobTracker does not start: {error}") from None

    return serve_with_banner


@contextlib.contextmanager
def working(registry: Any) -> Iterator[None]:
    """Run a worker meanwhile: a thread, which ends with this process, even if that is killed."""
    worker = Worker(registry)
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(SECONDS_TO_STOP)


def stop_without(parent: int) -> None:
    """Stop this process when its parent has ended, also if the parent was killed, or its terminal
    is closed: SIGHUP is sent to the leader of a session alone, and make then waits for this one."""
    terminal = select.poll()
    if os.isatty(STDIN):
        terminal.register(STDIN, 0)  # the events of a closed terminal are always reported
    while os.getppid() == parent and not terminal.poll(500):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def banner(settings: dict[str, Any], url: str, local: Collection[str]) -> str:
    """Return the addresses of all parts, one a line.

    :param local: the services that are local, by the prefixes of their settings
    """
    cognito, s3 = (
        settings[f"{prefix}.endpoint_url"] or endpoint_of(service, settings[f"{prefix}.region"])
        for prefix, service in (("cognito", "cognito-idp"), ("s3", "s3"))
    )
    database = make_url(settings["sqlalchemy.url"]).set(drivername="postgresql")
    sent = f"is not sent: the code is {CONFIRMATION_CODE}, for a reset {RESET_CODE}"
    rows = [
        ("JobTracker", f"{url}  try it on {url}/docs"),
        ("Cognito", f"{cognito}  pool {settings['cognito.user_pool_id']}"),
        ("S3", f"{s3}  bucket {settings['s3.bucket']}"),
        ("PostgreSQL", unquote(database.render_as_string(hide_password=True))),
        (
            "Turnstile",
            f"takes the token {DUMMY_TOKEN}" if "turnstile" in local else settings["turnstile.url"],
        ),
        ("E-mail", sent if "cognito" in local else "is sent by the user pool"),
        ("Stop", "Ctrl-C. Accounts, rows and files are kept"),
    ]
    return "\n".join(["", *(f"  {name:<11} {value}" for name, value in rows), ""])
