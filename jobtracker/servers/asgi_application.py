"""The ASGI application of a worker: receives requests, and runs the WSGI application in threads."""

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import Future
from typing import Any

from jobtracker.errors import ApiError, BadRequest, Unavailable
from jobtracker.http.service import PROBES, Operation, ThreadPool
from jobtracker.servers import asgi, error_response, log_rejection
from jobtracker.servers.connections import ConnectionWatch
from jobtracker.servers.limits import Limits
from jobtracker.servers.request_bodies import max_body_bytes, needs_authorization
from jobtracker.servers.stopping import CONNECTION_CLOSE, Shutdown
from jobtracker.servers.thread_pool import WorkerThreads
from jobtracker.servers.transfers import Transfers, owner_of

log = logging.getLogger(__name__)

# Bytes of a response beyond which it is sent only as fast as it is received.
LARGE = 64 * 1024


def thread_pool_of(operation: Operation | None) -> ThreadPool:
    """That of the requests of an operation, or of none."""
    return ThreadPool.READ if operation is None else operation.thread_pool


class ASGIApplication:
    """Responds to the requests that it rejects without calling the WSGI application."""

    def __init__(
        self,
        wsgi: Any,
        threads_of: dict[str, tuple[int, int]],
        limits: Limits,
        watch: ConnectionWatch,
        shutdown: Shutdown,
    ) -> None:
        self._wsgi = wsgi
        self._registry = wsgi.registry
        self._user_of = wsgi.registry["user_of"]
        self._find_operation = wsgi.registry["find_operation"]
        self.pools = {name: WorkerThreads(*sizes) for name, sizes in threads_of.items()}
        self._limits = limits
        self.watch = watch
        self._is_draining = shutdown.is_draining
        self.transfers = Transfers(limits.buffered_bytes)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        client = scope["client"]
        self.watch.began[client] = time.monotonic()
        running = self.watch.running
        running[client] = running.get(client, 0) + 1
        environ = asgi.make_environ(scope)
        try:
            asgi.check_request(environ)
            operation = self._find_operation(environ["REQUEST_METHOD"], environ["PATH_INFO"])
            environ["jobtracker.operation"] = operation
            pool = thread_pool_of(operation)
            user = None if pool in PROBES else self._user_of(environ)
            run = functools.partial(self._run, pool, environ, send)
            if "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
                await self._run_with_body(run, operation, user, environ, receive)
            else:
                await run(user)
        except ApiError as error:
            self._send_error(error, environ, send)
            await asgi.discard_body(receive)
        finally:
            running[client] -= 1
            if not running[client]:
                del running[client]

    async def _run_with_body(
        self,
        run: Callable[[Hashable], Awaitable[None]],
        operation: Operation | None,
        user: Hashable,
        environ: dict[str, Any],
        receive: Any,
    ) -> None:
        length = asgi.content_length(environ)
        if operation is None:  # the application answers 404 or 405, whatever the body
            asgi.set_body(environ, b"")
            await run(user)
            await asgi.discard_body(receive)
            return
        limit = max_body_bytes(operation, length, self._limits.body_bytes)
        size = limit if length is None else length
        if needs_authorization(operation, size):
            await self._check_authorization(environ)
            user = self._user_of(environ)  # of a token that is verified now
        with self.transfers.begin(size, owner_of(user)) as transfer:
            try:
                async with transfer.within(self._limits.body_seconds):
                    body = await asgi.read_body(receive, length, limit, transfer)
            except TimeoutError:
                raise BadRequest from None
            transfer.mark_complete()
            asgi.set_body(environ, body)
            del body
            with environ["wsgi.input"]:  # frees the body, whatever refers to the environ
                await run(user)

    async def _check_authorization(self, environ: dict[str, Any]) -> None:
        errors: list[ApiError] = []

        def check() -> None:
            try:
                self._registry["check_authorization"](environ)
            except ApiError as error:
                errors.append(error)

        await self.pools[ThreadPool.GATEWAY].run(check)  # the keys may have to be fetched
        if errors:
            raise errors[0]

    async def _run(
        self, pool: ThreadPool, environ: dict[str, Any], send: Any, user: Hashable
    ) -> None:
        large: list[Future[None]] = []
        loop = asyncio.get_running_loop()
        queued_at = time.monotonic()
        run = functools.partial(self.pools[pool].run, user=user)
        respond = functools.partial(self._respond, environ, send, loop, run, large, queued_at)
        refuse = functools.partial(self._send_error, environ=environ, send=send)
        await run(respond, refuse=refuse)
        if large:
            await asyncio.wrap_future(large[0])

    def _respond(
        self,
        environ: dict[str, Any],
        send: Any,
        loop: asyncio.AbstractEventLoop,
        run: Callable[..., Awaitable[None]],
        large: list[Future[None]],
        queued_at: float,
    ) -> None:
        """Call the application in a thread; the event loop sends what is large."""
        began = environ["jobtracker.thread_began"] = time.monotonic()
        environ["jobtracker.queued_seconds"] = began - queued_at
        try:
            response = asgi.call_application(self._wsgi, environ)
            if response.rest is None and len(response.body) <= LARGE:
                self._send(environ, send, response)
            else:
                sending = self._send_large(environ, send, response, run)
                large.append(asyncio.run_coroutine_threadsafe(sending, loop))
        except Exception:
            log.exception("Unexpected error in the application")
            self._send_error(ApiError(), environ, send)

    async def _send_large(
        self,
        environ: dict[str, Any],
        send: Any,
        response: asgi.Response,
        run: Callable[..., Awaitable[None]],
    ) -> None:
        """Send a response that is large, or streamed: then the next part is made, in a thread, when
        the one before is sent. All parts have the time of one response."""
        status, headers, body, rest = response
        deadline = time.monotonic() + self._limits.response_seconds
        has_begun = False
        try:
            owner = owner_of(self._user_of(environ))
            while body:
                with self.transfers.begin(len(body), owner) as transfer:
                    async with transfer.within(deadline - time.monotonic()):
                        if not has_begun:
                            has_begun = True
                            send(self._start(environ, status, headers))
                        await asgi.send_part(send, transfer, body)
                body = b"" if rest is None else await self._next_part(rest, run)
            await send({"type": "http.response.body", "body": b""})
        except Exception as error:
            if not isinstance(error, TimeoutError | ApiError):
                log.exception("Unexpected error in the application")
            if has_begun:  # the client has to see that the response is incomplete
                self.watch.close((environ["REMOTE_ADDR"], environ["REMOTE_PORT"]))
            else:
                error = error if isinstance(error, ApiError) else ApiError()
                self._send_error(error, environ, send)
        finally:
            if rest is not None:
                rest.close()

    async def _next_part(self, rest: asgi.Rest, run: Callable[..., Awaitable[None]]) -> bytes:
        """The next part of a body; empty at the end.

        :raises Unavailable: for an error, which is logged
        """
        made: list[bytes] = []
        await run(lambda: made.append(next(rest.parts, b"")))
        if not made:
            raise Unavailable
        return made[0]

    def _send_error(self, error: ApiError, environ: dict[str, Any], send: Any) -> None:
        origin, request_id = environ.get("HTTP_ORIGIN", ""), environ.get("HTTP_X_REQUEST_ID", "")
        response = error_response(error, self._registry.settings, origin, request_id)
        now = time.monotonic()
        client = environ["REMOTE_ADDR"], environ["REMOTE_PORT"]
        seconds = now - self.watch.began.get(client, now)
        log_rejection(environ, self._registry, error, response, seconds)
        self._send(environ, send, asgi.Response(*response))

    def _send(self, environ: dict[str, Any], send: Any, response: asgi.Response) -> None:
        """Send a response that is not streamed, in any thread.

        Granian sends during the calls: a body in one message needs no awaiting of what they return.
        """
        send(self._start(environ, response.status, response.headers))
        send({"type": "http.response.body", "body": response.body})

    def _start(self, environ: dict[str, Any], status: int, headers: asgi.Headers) -> dict[str, Any]:
        """The start of a response, which closes its connection if the server stops.

        :raises ValueError: for invalid headers
        """
        if self._is_draining():
            headers = [*headers, CONNECTION_CLOSE]
        return asgi.start_of_response(status, headers)
