"""Closes the connections of clients that do nothing, in a worker of Granian, on Linux.

Granian has one time-out, between a response and the next complete header: it is as long as a load
balancer keeps connections open. It has none for the first header and none for a response that is
not read, and it accepts no connections beyond its limit. So a thread looks at the sockets of the
process, and resets connections

- that had no complete header ``header_seconds`` after they were opened,
- whose client has not received a response ``response_seconds`` after it was sent,
- and when the limit comes near, those that have been idle for longest.

When the worker stops, Granian resets idle connections whose next request it has not read yet, and
those that wait to be accepted; :meth:`ConnectionWatch.close_listener_and_idle` is called before.
"""

import array
import contextlib
import fcntl
import logging
import os
import socket
import stat
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jobtracker.servers.limits import Limits
from jobtracker.servers.stopping import IN_USE_SECONDS, SECONDS_TO_CLOSE, finish_accepting

log = logging.getLogger(__name__)

# Address and port, as in Granian's scope.
Client = tuple[str, str]

# Seconds between two looks; and while at least half of the connections are in use.
INTERVAL = 0.5
SHORT_INTERVAL = 0.25
# Seconds for which a request cannot be idle.
BUSY_SECONDS = 10.0

# Seconds for a request that was received to begin, on a busy machine.
LOST_SECONDS = 1.0

# struct tcp_info of linux/tcp.h: tcpi_unacked in segments, tcpi_notsent_bytes, and milliseconds
# since the last data: tcpi_last_data_sent, tcpi_last_data_recv.
_TCP_INFO_BYTES = 148
_UNACKED, _NOT_SENT = 24, 144
_LAST_SENT, _LAST_RECEIVED = 44, 52


@dataclass
class Connection:
    client: Client | None  # None: another socket of the process
    opened_at: float
    #: Since when a response has been on its way at each look.
    unread_since: float | None = None


class ConnectionWatch(threading.Thread):
    """:param port: of the listening socket"""

    def __init__(self, port: int, limits: Limits) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._limits = limits
        self._connections: dict[int, Connection] = {}  # by inode
        #: When the latest request of a client began, by time.monotonic().
        self.began: dict[Client, float] = {}
        #: The number of its requests that have begun and not ended, unless that is 0.
        self.running: dict[Client, int] = {}
        #: Clients whose connections the next look closes.
        self._to_close: set[Client] = set()

    @property
    def open(self) -> int:
        """The number of connections of clients."""
        return sum(each.client is not None for each in list(self._connections.values()))

    def run(self) -> None:
        while True:
            try:
                number = self.look(time.monotonic())
            except Exception:
                log.exception("Unexpected error while looking at connections")
                number = 0
            time.sleep(SHORT_INTERVAL if number > self._limits.connections / 2 else INTERVAL)

    def look(self, now: float) -> int:
        """Close what is to be closed. Returns the number of connections before that."""
        known, self._connections = self._connections, {}
        to_close, self._to_close = self._to_close, set()
        closing: set[int] = set()
        open_: dict[int, Connection] = {}
        for inode, each in _sockets():
            connection = known.get(inode) or self._new(each, now)
            self._connections[inode] = connection
            if connection.client is not None:
                open_[inode] = connection
                is_stuck = self._is_stuck(connection, connection.client, each, now)
                if is_stuck or connection.client in to_close:
                    closing.add(inode)
        closing.update(self._idlest(open_, now))
        if closing:
            for inode, each in _sockets():
                if inode in closing:
                    _abort(each)
        clients = {connection.client for connection in open_.values()}
        for client, began in list(self.began.items()):
            if client not in clients and began < now - BUSY_SECONDS:
                del self.began[client]
        return len(open_)

    def close(self, client: Client) -> None:
        """Let the next look close the connection of a client; in any thread."""
        self._to_close.add(client)

    def close_listener_and_idle(self) -> None:
        """Close the listening socket, and idle connections; return when none is in use but those
        with a request, which its response closes.

        Only what has no data in either direction is closed, so nothing is reset.
        """
        self._close_listener()
        deadline = time.monotonic() + SECONDS_TO_CLOSE
        while self._close_idle() and time.monotonic() < deadline:
            time.sleep(IN_USE_SECONDS / 10)

    def _close_listener(self) -> None:
        for number, each in _numbered_sockets():
            if self._is_listener(each):
                finish_accepting(each, accept=lambda: None)
                # Granian would go on to accept, in a loop of errors, if it were closed here. So its
                # file descriptor becomes another socket's, to which nothing connects.
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
                    other.setblocking(False)
                    other.bind("")  # https://man7.org/linux/man-pages/man7/unix.7.html: autobind
                    other.listen()
                    os.dup2(other.fileno(), number, inheritable=False)

    def _is_listener(self, each: socket.socket) -> bool:
        try:
            is_listening = each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            return bool(is_listening) and each.getsockname()[1] == self._port
        except (OSError, IndexError):  # of another kind
            return False

    def _close_idle(self) -> bool:
        """Close idle connections; return whether others without a request are in use."""
        is_in_use = False
        for _inode, each in _sockets():
            connection = self._new(each, 0)
            if connection.client is None or connection.client in self.running:
                continue
            info = _tcp_info(each)
            if info(_UNACKED) or info(_NOT_SENT):
                continue  # Granian closes it after the response
            if _may_have_request(info(_LAST_SENT), info(_LAST_RECEIVED)) or _unread_bytes(each):
                is_in_use = True
            else:
                with contextlib.suppress(OSError):  # closed by the client
                    each.shutdown(socket.SHUT_RDWR)
        return is_in_use

    def _new(self, each: socket.socket, now: float) -> Connection:
        try:
            if each.getsockname()[1] == self._port:
                address, port = each.getpeername()[:2]
                return Connection((address.partition("%")[0], str(port)), now)
        except (OSError, IndexError):  # it listens, or is of another kind
            pass
        return Connection(None, now)

    def _is_stuck(
        self, connection: Connection, client: Client, each: socket.socket, now: float
    ) -> bool:
        began = self.began.get(client)
        if began is None:
            return now - connection.opened_at > self._limits.header_seconds
        info = _tcp_info(each)
        if not (info(_UNACKED) or info(_NOT_SENT)):
            connection.unread_since = None
            return False
        if connection.unread_since is None:
            connection.unread_since = now
        return now - max(began, connection.unread_since) > self._limits.response_seconds

    def _idlest(self, open_: dict[int, Connection], now: float) -> list[int]:
        """The inodes of idle connections in excess: first those that had no request at all."""
        number = self._limits.excess(len(open_))
        idle = []
        for inode, connection in open_.items() if number else ():
            began = self.began.get(connection.client) if connection.client else None
            if began is None and connection.opened_at < now:
                idle.append((0, connection.opened_at, inode))
            elif began is not None and began < now - BUSY_SECONDS:
                idle.append((1, began, inode))
        return [inode for *_, inode in sorted(idle)[:number]]


def _sockets() -> Iterator[tuple[int, socket.socket]]:
    """The inodes and duplicates of the sockets of this process, each open until the next one."""
    for _number, each in _numbered_sockets():
        yield os.fstat(each.fileno()).st_ino, each


def _numbered_sockets() -> Iterator[tuple[int, socket.socket]]:
    """The file descriptors and duplicates of these sockets, likewise."""
    for name in os.listdir("/proc/self/fd"):
        try:
            # The original can be closed, and its number be used again, at any time.
            duplicate = os.dup(int(name))
        except OSError:
            continue
        status = os.fstat(duplicate)
        if not stat.S_ISSOCK(status.st_mode):
            os.close(duplicate)
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=duplicate) as each:
            yield int(name), each


def _tcp_info(connection: socket.socket) -> Callable[[int], int]:
    """The fields of struct tcp_info, by their offset."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    return lambda offset: struct.unpack_from("I", info, offset)[0]


def _may_have_request(last_sent: int, last_received: int) -> bool:
    """Whether Granian can have read a request that has not begun here, or one is to be expected.

    :param last_sent: milliseconds since the last data that was sent, by the clock of the kernel:
        where it is equal to the other, the order is not known
    """
    seconds = IN_USE_SECONDS if last_sent < last_received else LOST_SECONDS
    return min(last_sent, last_received) < seconds * 1000


def _unread_bytes(connection: socket.socket) -> int:
    number = array.array("i", [0])
    fcntl.ioctl(connection, termios.FIONREAD, number)
    return number[0]


def _abort(connection: socket.socket) -> None:
    """Reset a connection: what was not received is discarded."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # closed by the client
        pass
