"""A TCP proxy that fails on demand, in the ways in which a network and a server do.

One thread forwards all connections. The methods of :class:`Proxy` apply to open connections as
well, and have taken effect when they return.
"""

import selectors
import socket
import struct
import threading
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HOST = "127.0.0.1"
CHUNK = 64 * 1024
# Seconds to send a chunk before the connection is reset.
SECONDS_TO_SEND = 10

Address = tuple[str, int] | Path


class Mode(Enum):
    PASS = auto()
    REFUSE = auto()
    STALL = auto()
    CUT = auto()


class _Connection:
    """A client's socket and, once connected, the target's."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.target: socket.socket | None = None
        # Bytes of responses that are still forwarded.
        self.remaining_bytes: int | None = None
        self.lost = False

    @property
    def sockets(self) -> list[socket.socket]:
        return [self.client] if self.target is None else [self.client, self.target]


class Proxy:
    """A port of this machine in front of a TCP address or of a Unix socket.

    ::

        with Proxy(("127.0.0.1", 5432)) as proxy:
            connect(proxy.port)
            proxy.stall()
    """

    def __init__(self, target: Address) -> None:
        self.target = target
        # Bound but not listening: connections are refused, and no other process gets the port.
        self._reservation = _bound(0)
        self.port: int = self._reservation.getsockname()[1]
        self._mode = Mode.PASS
        self._cut_after = 0
        self._new_are_lost = False
        self._connections: set[_Connection] = set()
        self._listener: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._commands: list[tuple[Callable[[], None], threading.Event]] = []
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._closed = False
        self._listen()
        self._thread = threading.Thread(target=self._run, name=f"proxy {self.port}", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def forward(self) -> None:
        """Forward everything. Stalled connections continue; lost ones do not."""
        self._do(self._pass)

    def refuse(self) -> None:
        """Refuse new connections and reset open ones."""
        self._do(self._refuse)

    def stall(self, *, lost: bool = False) -> None:
        """Accept connections and forward nothing.

        :param lost: also after :meth:`forward`, on connections that are open now or opened until
            then: as if the server had lost its power and another had taken its place
        """
        self._do(lambda: self._stall(lost))

    def cut(self, after: int = 0) -> None:
        """Reset each connection after so many bytes of responses; at once when 0."""
        self._do(lambda: self._cut(after))

    def close(self) -> None:
        """Reset open connections and end the thread."""
        if not self._closed:
            self._do(self._shut)
            self._thread.join()
            self._selector.close()
            for each in (self._wake, self._woken, self._reservation):
                each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # All methods below but _do run in the thread.

    def _do(self, command: Callable[[], None]) -> None:
        done = threading.Event()
        self._commands.append((command, done))
        self._wake.send(b"!")
        if not done.wait(2 * SECONDS_TO_SEND):
            raise RuntimeError("The proxy's thread does not respond")

    def _run(self) -> None:
        while not self._closed:
            for key, _events in self._selector.select():
                ready: Any = key.fileobj
                if ready is self._woken:
                    self._woken.recv(CHUNK)
                elif ready is self._listener:
                    self._accept()
                elif ready.fileno() != -1:  # not closed a moment ago, with its other end
                    self._transfer(key.data, ready)
            while self._commands:
                command, done = self._commands.pop(0)
                command()
                done.set()

    def _pass(self) -> None:
        was, self._mode = self._mode, Mode.PASS
        if was is Mode.REFUSE:
            self._listen()
        for connection in list(self._connections):
            connection.remaining_bytes = None
            if was is Mode.STALL and not connection.lost:
                self._connect(connection)

    def _refuse(self) -> None:
        self._mode = Mode.REFUSE
        self._stop_listening()
        self._reset_all()

    def _stall(self, lost: bool) -> None:
        if self._mode is Mode.REFUSE:
            self._listen()
        self._mode = Mode.STALL
        for connection in self._connections:
            connection.lost = connection.lost or lost
            for each in connection.sockets:
                if each.fileno() in self._selector.get_map():
                    self._selector.unregister(each)
        self._new_are_lost = lost

    def _cut(self, after: int) -> None:
        self._pass()
        self._mode = Mode.CUT
        self._cut_after = after
        for connection in list(self._connections):
            connection.remaining_bytes = after
        if after == 0:
            self._reset_all()

    def _shut(self) -> None:
        self._refuse()
        self._closed = True

    def _listen(self) -> None:
        self._listener = _bound(self.port)
        self._listener.listen(256)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        assert self._listener is not None
        client, _address = self._listener.accept()
        connection = _Connection(client)
        self._connections.add(connection)
        if self._mode is Mode.STALL:
            connection.lost = self._new_are_lost
        elif self._mode is Mode.CUT and self._cut_after == 0:
            self._reset(connection)
        else:
            connection.remaining_bytes = self._cut_after if self._mode is Mode.CUT else None
            self._connect(connection)

    def _connect(self, connection: _Connection) -> None:
        if connection.target is None:
            try:
                connection.target = _connected(self.target)
            except OSError:
                self._reset(connection)
                return
        for each in connection.sockets:
            each.settimeout(SECONDS_TO_SEND)
            if each.family == socket.AF_INET:
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(each, selectors.EVENT_READ, connection)

    def _transfer(self, connection: _Connection, source: Any) -> None:
        is_answer = source is connection.target
        other = connection.client if is_answer else connection.target
        assert other is not None
        try:
            data = source.recv(CHUNK)
            if is_answer and connection.remaining_bytes is not None:
                data = data[: connection.remaining_bytes]
                connection.remaining_bytes -= len(data)
            other.sendall(data)
        except OSError:
            self._reset(connection)
            return
        if not data:
            self._end(connection)
        elif connection.remaining_bytes == 0:
            self._reset(connection)

    def _reset_all(self) -> None:
        for connection in list(self._connections):
            self._reset(connection)

    def _reset(self, connection: _Connection) -> None:
        """Close a connection with RST on both sides."""
        for each in connection.sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._end(connection)

    def _end(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        for each in connection.sockets:
            if each.fileno() in self._selector.get_map():
                self._selector.unregister(each)
            each.close()


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((HOST, port))
    return bound


def _connected(address: Address) -> socket.socket:
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    connected = socket.socket(family)
    connected.settimeout(SECONDS_TO_SEND)
    try:
        connected.connect(str(address) if isinstance(address, Path) else address)
    except OSError:
        connected.close()
        raise
    return connected
