"""Granian again, by its RSGI: bodies are read by the event loop, so that slow ones hold no thread.

As a WSGI server Granian hands a request to a thread once its headers are there, and the thread
waits for the body: as many slow uploads as there are threads keep everybody else waiting. Here the
loop waits for it, refuses what is too long, and a thread is taken for complete requests only.
"""

import asyncio
import functools
import io
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server import Server
from pyramid.paster import setup_logging

from benchmarks.embedded_granian import LOGGING, application

MAX_BODY = 8 * 1024 * 1024
SECONDS_FOR_BODY = 30


def server_factory(
    global_conf: dict[str, str],
    *,
    host: str = "127.0.0.1",
    port: str = "6543",
    workers: str = "1",
    threads: str = "8",
    connection_limit: str = "5000",
) -> Callable[[Any], None]:
    ini = global_conf["__file__"]

    def serve(_app: Any) -> None:
        server = Server(
            target=ini,
            address=host,
            port=int(port),
            interface=Interfaces.RSGI,
            workers=int(workers),
            # Of connections, idle ones included; what comes beyond waits for one of them to end.
            backpressure=int(connection_limit),
            http1_settings=HTTP1Settings(header_read_timeout=10_000),
            websockets=False,
            log_dictconfig=LOGGING,
            workers_kill_timeout=30,
            respawn_failed_workers=True,
        )
        setup_logging(ini)
        loader = functools.partial(adapted, ini, int(threads))
        server.serve(target_loader=loader, wrap_loader=False)

    return serve


def adapted(ini: str, threads: int) -> Callable[..., Any]:
    """The application of an ini file as an RSGI application, in a worker."""
    wsgi = application(ini)
    pool = ThreadPoolExecutor(threads)

    async def answering(scope: Any, protocol: Any) -> None:
        body = b""
        if scope.method not in ("GET", "HEAD", "OPTIONS"):
            try:
                async with asyncio.timeout(SECONDS_FOR_BODY):
                    body = await _read(protocol)
            except (TimeoutError, ValueError) as error:
                protocol.response_empty(408 if isinstance(error, TimeoutError) else 413, [])
                return
        loop = asyncio.get_running_loop()
        status, headers, answer = await loop.run_in_executor(
            pool, _call, wsgi, _environ(scope, body)
        )
        protocol.response_bytes(status, headers, answer)

    return answering


async def _read(protocol: Any) -> bytes:
    chunks, length = [], 0
    async for chunk in protocol:
        length += len(chunk)
        if length > MAX_BODY:
            raise ValueError(length)
        chunks.append(chunk)
    return b"".join(chunks)


def _environ(scope: Any, body: bytes) -> dict[str, Any]:
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
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if name == "content-type":
            environ["CONTENT_TYPE"] = value
        elif "_" not in name and name != "content-length":  # X_Forwarded_For is not that header
            key = f"HTTP_{name.upper().replace('-', '_')}"
            between = "; " if name == "cookie" else ", "
            environ[key] = f"{environ[key]}{between}{value}" if key in environ else value
    return environ


def _call(wsgi: Any, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    began: list[Any] = []
    chunks = wsgi(environ, lambda status, headers, _error=None: began.extend((status, headers)))
    try:
        body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    return int(began[0][:3]), began[1], body
