"""Granian: several processes, and HTTP spoken by Rust. What it costs beside others is in
benchmarks/README.md.

It is used by its RSGI, not by its WSGI, which takes a thread as soon as a request's headers are
there: as many slow uploads as there are threads would keep everybody else waiting. Here the event
loop waits for the body, and a thread is given complete requests only.

https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

import asyncio
import functools
import gc
import io
import logging
import multiprocessing
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any, cast

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]
from granian.server import Server
from pyramid.paster import setup_logging

from jobtracker.servers import cpu_affinity, refusal

log = logging.getLogger(__name__)

# What asks Cognito, S3 or Turnstile, which can take seconds: it has threads of its own, so that
# nobody else waits for those.
ASKS_OTHERS = re.compile("/auth/|/users/me/(change-password|mfa)|/jobs/[0-9]+/documents/")

SAFE = ("GET", "HEAD", "OPTIONS")

# New objects, less those that are gone, that it takes to look for garbage: Python's own number is
# 700, which is a few requests.
OBJECTS_BETWEEN_COLLECTIONS = 5_000

# Granian's own loggers write where the ini file says, as everybody's.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {
        "_granian": {"handlers": [], "propagate": True},
        "granian.access": {"handlers": [], "propagate": True},
    },
}


def server_factory(
    global_config: dict[str, str],
    *,
    host: str = "127.0.0.1",
    port: str = "6543",
    workers: str = "",
    threads: str = "4",
    write_threads: str = "8",
    gateway_threads: str = "8",
    connection_limit: str = "5000",
    idle_seconds: str = "75",
    body_seconds: str = "30",
    max_request_body_size: str = "8388608",
    seconds_to_finish: str = "10",
) -> Callable[[Any], None]:
    """A server for PasteDeploy.

    :param workers: processes; as many as there are cores unless it says otherwise
    :param threads: of each process, for what reads from PostgreSQL. More of them do not do more:
        they wait for each other
    :param write_threads: of each process, for what writes to PostgreSQL: they wait for its disk,
        and what waits together is done together
    :param gateway_threads: of each process, for what asks Cognito, S3 or Turnstile as well
    :param connection_limit: of each process, idle ones included; others wait
    :param idle_seconds: after which an idle connection is closed. Longer than those of the load
        balancer in front, or it uses some that are being closed
    :param body_seconds: for a body to come
    :param seconds_to_finish: for what has begun, once it is told to stop
    """
    ini = global_config["__file__"]

    def serve(app: Any) -> None:
        # Workers are forks: they share the application's memory. It has no connection to anything
        # yet, and no thread.
        multiprocessing.set_start_method("fork", force=True)
        server = Server(
            target=ini,
            address=host,
            port=int(port),
            interface=Interfaces.RSGI,
            workers=int(workers or os.cpu_count() or 1),
            backpressure=int(connection_limit),
            http1_settings=HTTP1Settings(header_read_timeout=int(idle_seconds) * 1000),
            websockets=False,
            log_dictconfig=LOGGING,
            workers_kill_timeout=int(seconds_to_finish),
            respawn_failed_workers=True,
        )
        setup_logging(ini)  # Granian has just set up its own
        cpu_affinity.prioritize_database(app.registry.settings["sqlalchemy.url"])
        freeze_gc()
        loader = functools.partial(
            rsgi_application,
            app,
            ini,
            multiprocessing.Value("i", 0),
            threads=int(threads),
            write_threads=int(write_threads),
            gateway_threads=int(gateway_threads),
            max_body=int(max_request_body_size),
            body_seconds=int(body_seconds),
        )
        server.serve(target_loader=loader, wrap_loader=False)

    return serve


def rsgi_application(
    wsgi: Any,
    ini: str,
    started: Any,
    *,
    threads: int,
    write_threads: int,
    gateway_threads: int,
    max_body: int,
    body_seconds: int,
) -> Callable[..., Any]:
    """A Pyramid application, as Granian calls it in a worker.

    :param ini: whose logging it is to have
    :param started: how many workers there have been, shared by all
    """
    setup_logging(ini)  # Granian sets up its own in each worker
    with started.get_lock():
        number, started.value = started.value, started.value + 1
    cpu_affinity.pin_to_cpu(number)
    settings = wsgi.registry.settings
    pool = Threads(threads, wsgi)
    writing_pool = Threads(write_threads, wsgi)
    gateway_pool = Threads(gateway_threads, wsgi)
    health_pool = Threads(1, wsgi)

    bodies = BodyReader(max_body, body_seconds)

    async def answering(scope: Any, protocol: Any) -> None:
        body = b""
        if scope.method not in SAFE:
            try:
                body = await bodies.read(scope, protocol)
            except ProtocolClosed:  # whoever sent it has gone
                return
            except (TimeoutError, ValueError) as error:
                status = 413 if isinstance(error, ValueError) else 400
                headers = scope.headers
                refused = refusal(
                    status,
                    settings,
                    origin=headers.get("origin", ""),
                    request_id=headers.get("x-request-id", ""),
                )
                protocol.response_bytes(*refused)
                return
        if scope.path == "/health":
            chosen = health_pool
        elif scope.method == "DELETE" or ASKS_OTHERS.match(scope.path):
            chosen = gateway_pool
        elif scope.method in SAFE:
            chosen = pool
        else:
            chosen = writing_pool
        await chosen.answered(scope, protocol, body)

    return answering


def freeze_gc() -> None:
    """Spare the collector of garbage what lives as long as the process: the application.

    What it does not look at, it does not write to, so that workers go on to share it. And of what
    a request makes, hardly anything is left for it: to look less often costs a few megabytes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 10, 10)


# Until the event loop hears that a request was answered.
COMPLETION_INTERVAL = 0.05


class Threads:
    """Threads that call a WSGI application, and send its answers.

    Less than a ThreadPoolExecutor: an answer does not come back to the event loop, which only has
    to hear some time that there is one. To wake it up for each would cost a tenth of a 304.
    """

    def __init__(self, number: int, wsgi: Callable[..., Iterable[bytes]]) -> None:
        self._waiting: SimpleQueue[tuple[Any, Any, bytes, asyncio.Future[None]]] = SimpleQueue()
        self._answered: deque[asyncio.Future[None]] = deque()
        self._pending = 0
        self._wsgi = wsgi
        for _ in range(number):
            threading.Thread(target=self._work, daemon=True).start()

    async def answered(self, scope: Any, protocol: Any, body: bytes) -> None:
        """Return some time after a request is answered."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        if not self._pending:
            loop.call_later(COMPLETION_INTERVAL, self._drain, loop)
        self._pending += 1
        self._waiting.put((scope, protocol, body, done))
        await done

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._answered:
            done = self._answered.popleft()
            self._pending -= 1
            if not done.cancelled():  # whoever asked has gone
                done.set_result(None)
        if self._pending:
            loop.call_later(COMPLETION_INTERVAL, self._drain, loop)

    def _work(self) -> None:
        while True:
            scope, protocol, body, done = self._waiting.get()
            try:
                protocol.response_bytes(*_call(self._wsgi, _environ(scope, body)))
            except Exception:
                log.exception("A request was not answered")
            self._answered.append(done)


# Between two looks whether a body takes too long.
SECONDS_BETWEEN_LOOKS = 0.5


class BodyReader:
    """Reads bodies of requests, those that end.

    Those that take too long are looked for, all together: a timer for each costs more than to read
    one that is there already, as most are.
    """

    def __init__(self, max_length: int, seconds: float) -> None:
        self._max_length = max_length
        self._seconds = seconds
        self._due: dict[asyncio.Task[Any], float] = {}
        self._looks = False

    async def read(self, scope: Any, protocol: Any) -> bytes:
        """The body.

        :raises ValueError: when it is too long
        :raises TimeoutError: when it does not come
        """
        loop, task = asyncio.get_running_loop(), cast("asyncio.Task[Any]", asyncio.current_task())
        self._due[task] = loop.time() + self._seconds
        if not self._looks:
            self._look(loop)
        try:
            if self._is_short(scope.headers):
                return bytes(await protocol())
            return await self._read_in_parts(protocol)
        except asyncio.CancelledError:
            if task in self._due:  # it is not we who gave up
                raise
            task.uncancel()
            raise TimeoutError from None
        finally:
            self._due.pop(task, None)

    def _is_short(self, headers: Any) -> bool:
        """Whether it says so, and nothing else that would count (RFC 9112, 6.3)."""
        length = headers.get("content-length", "")
        said = length.isascii() and length.isdigit() and len(length) < 20
        return said and int(length) <= self._max_length and "transfer-encoding" not in headers

    async def _read_in_parts(self, protocol: Any) -> bytes:
        parts, length = [], 0
        async for part in protocol:
            length += len(part)
            if length > self._max_length:
                raise ValueError(length)
            parts.append(part)
        return b"".join(parts)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task in [task for task, due in self._due.items() if due < now]:
            del self._due[task]
            task.cancel()
        self._looks = bool(self._due)
        if self._looks:
            loop.call_later(SECONDS_BETWEEN_LOOKS, self._look, loop)


def _environ(scope: Any, body: bytes) -> dict[str, Any]:
    """The request, as PEP 3333 has it."""
    host, _, port = scope.server.rpartition(":")
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        # Percent-encoding is undone already. WSGI wants the bytes, as Latin-1.
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "webob.is_body_seekable": True,  # or WebOb would copy it
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        key = _key(name)
        if key is not None:
            environ[key] = f"{environ[key]}, {value}" if key in environ else value
    return environ


@functools.lru_cache(maxsize=64)
def _key(name: str) -> str | None:
    """What WSGI calls a header."""
    if "_" in name or name == "content-length":  # X_Forwarded_For is not X-Forwarded-For
        return None
    if name == "content-type":
        return "CONTENT_TYPE"
    return f"HTTP_{name.upper().replace('-', '_')}"


def _call(wsgi: Any, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    began: list[Any] = []
    chunks = wsgi(environ, lambda status, headers, _error=None: began.extend((status, headers)))
    try:
        body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    return int(began[0][:3]), began[1], body
