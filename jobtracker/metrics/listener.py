"""The HTTP server of the metrics: ``GET /metrics``, one request for each connection.

A client can neither keep it busy nor fill its memory: connections, their time, the size of a
request and the CPU time of all scrapes are limited.
"""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

log = logging.getLogger(__name__)

# Seconds of a connection, from its request to the end of the response.
CONNECTION_SECONDS = 10
# Connections at once. The oldest is closed for one more.
MAX_CONNECTIONS = 20
MAX_HEADER_BYTES = 8 * 1024
# Seconds between two scrapes, as a multiple of those that the first has taken.
PAUSE = 4


class Listener(threading.Thread):
    """:param socket_: bound, and in the state of listening
    :param render: makes the text of a scrape
    :param delay: seconds from the request until that, in which workers write what came before
    """

    def __init__(
        self, socket_: socket.socket, render: Callable[[], bytes], delay: float = 0
    ) -> None:
        super().__init__(name="metrics", daemon=True)
        self._socket, self._render, self._delay = socket_, render, delay
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._next_at = 0.0  # when the next scrape is made, by time.monotonic()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._turn = asyncio.Lock()
        server = await asyncio.start_server(
            self._accept, sock=self._socket, limit=MAX_HEADER_BYTES, backlog=MAX_CONNECTIONS
        )
        await server.serve_forever()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MAX_CONNECTIONS:
            oldest = next(iter(self._connections))
            self._connections.pop(oldest).transport.abort()
            oldest.cancel()
        task = asyncio.create_task(self._answer(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(lambda task: self._connections.pop(task, None))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(CONNECTION_SECONDS):
                writer.transport.set_write_buffer_limits(high=0)  # drain() waits for all
                header = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._respond(header.split(b"\r\n", 1)[0]))
                await writer.drain()
                writer.write_eof()  # also of a copy of the socket in a worker that was forked now
                await reader.read(1)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except Exception:
            log.exception("Unexpected error in a scrape")
        finally:
            # Without waiting for a client that does not receive.
            writer.transport.abort()

    async def _respond(self, request_line: bytes) -> bytes:
        """Header and body of the response."""
        method, _, rest = request_line.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path != b"/metrics":
            return _response(HTTPStatus.NOT_FOUND)
        if method not in (b"GET", b"HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, extra="Allow: GET, HEAD\r\n")
        await asyncio.sleep(self._delay)
        async with self._turn:
            # However often it is scraped, that takes a fifth of a CPU at most.
            await asyncio.sleep(self._next_at - time.monotonic())
            began = time.monotonic()
            body = self._render()
            now = time.monotonic()
            self._next_at = now + (now - began) * PAUSE
        return _response(HTTPStatus.OK, body, head=method == b"HEAD")


def _response(
    status: HTTPStatus, body: bytes = b"", *, head: bool = False, extra: str = ""
) -> bytes:
    content_type = CONTENT_TYPE_PLAIN_0_0_4
    header = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n{extra}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return header.encode() + (b"" if head else body)
