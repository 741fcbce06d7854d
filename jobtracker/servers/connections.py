"""Closes the connections of clients that do nothing, in a worker of Granian, on Linux.

Granian has one time-out, between a response and the next complete header: it is as long as a load
balancer keeps connections open. It has none for the first header and none for a response that is
not read, and it accepts no connections beyond its limit. So a thread looks at the sockets of the
process, and resets connections

- that had no complete header ``header_seconds`` after they were opened,
- whose client has not received a response ``response_seconds`` after it was sent,
- and when the limit comes near, those that have been idle for longest.
"""

import logging
import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from jobtracker.servers.limits import Limits

log = logging.getLogger(__name__)

# Address and port, as in Granian's scope.
Client = tuple[str, str]

# Seconds between two looks; and while at least half of the connections are in use.
INTERVAL = 0.5
SHORT_INTERVAL = 0.25
# Seconds for which a request cannot be idle.
BUSY_SECONDS = 10.0

# struct tcp_info of linux/tcp.h: tcpi_unacked in segments, and tcpi_notsent_bytes.
_TCP_INFO_BYTES = 148
_UNACKED, _NOT_SENT = 24, 144


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
        info = each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        if not any(struct.unpack_from("I", info, offset)[0] for offset in (_UNACKED, _NOT_SENT)):
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
            yield status.st_ino, each


def _abort(connection: socket.socket) -> None:
    """Reset a connection: what was not received is discarded."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # closed by the client
        pass
