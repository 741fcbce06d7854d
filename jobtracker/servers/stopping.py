"""How a server stops without losing a request of a kept-alive connection.

At SIGTERM or SIGINT it *drains* for ``drain_seconds``: ``/ready`` is 503, all else is served, and
each response closes its connection (``Connection: close``, RFC 9112, 9.6). Then it *closes*: first
the listening socket, then connections that are idle, and it finishes the requests that have begun.
A second signal ends it at once.
"""

import ctypes
import logging
import mmap
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import NoReturn

log = logging.getLogger(__name__)

# The header of responses while the server stops.
CONNECTION_CLOSE = ("Connection", "close")
# Seconds after the last data of a connection, in either direction, until it is idle: what is in use
# is closed by its next response, so that its client does not send a request meanwhile.
IN_USE_SECONDS = 0.2
# Seconds for connections in use to get that response.
SECONDS_TO_CLOSE = 2.0
# Seconds for handshakes that have begun, and for connections that wait to be accepted.
HANDSHAKE_SECONDS, SECONDS_TO_ACCEPT = 0.05, 0.5

# The offset of tcpi_unacked in struct tcp_info: of a listening socket, the connections that wait to
# be accepted (https://man7.org/linux/man-pages/man7/tcp.7.html).
_UNACKED = 24
_SO_ATTACH_FILTER = 26

_SERVING, _DRAINING, _CLOSING = range(3)


class Shutdown:
    """How far a server has stopped, in memory that processes share which are forked later."""

    def __init__(self) -> None:
        self._state = mmap.mmap(-1, 1)

    def drain(self) -> None:
        self._state[0] = max(_DRAINING, self._state[0])

    def close(self) -> None:
        self._state[0] = _CLOSING

    def is_draining(self) -> bool:
        """Whether it stops: it drains, or closes already."""
        return self._state[0] != _SERVING

    def is_closing(self) -> bool:
        return self._state[0] == _CLOSING


def end_at_once(signal_number: int) -> NoReturn:
    """End this process without finishing anything: a process 1 cannot end itself by a signal."""
    log.warning("Stopped at once, by a second signal")
    os._exit(128 + signal_number)


def finish_accepting(listening: socket.socket, accept: Callable[[], object]) -> None:
    """Let no more connections in, and return when those that are there have been accepted.

    Closing a listening socket resets those that wait to be accepted, with the requests that they
    have sent. New ones are not answered meanwhile: a client repeats its SYN after a second.

    :param accept: called meanwhile; unnecessary where another thread accepts
    """
    drop_syn(listening)
    began = time.monotonic()
    while (seconds := time.monotonic() - began) < SECONDS_TO_ACCEPT:
        accept()
        if seconds > HANDSHAKE_SECONDS and not _waiting_connections(listening):
            break
        time.sleep(HANDSHAKE_SECONDS / 10)


class _Instruction(ctypes.Structure):
    """struct sock_filter of linux/filter.h."""

    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jt", ctypes.c_uint8),
        ("jf", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


def drop_syn(listening: socket.socket) -> None:
    """Drop the SYN of new connections, on Linux; handshakes that have begun are completed.

    https://www.kernel.org/doc/html/latest/networking/filter.html
    """
    if sys.platform != "linux" or listening.family == socket.AF_UNIX:
        return
    program = (_Instruction * 4)(
        _Instruction(0x30, 0, 0, 13),  # load the byte with the flags of the TCP header
        _Instruction(0x45, 0, 1, 0x02),  # if SYN is not set, skip one
        _Instruction(0x06, 0, 0, 0),  # drop
        _Instruction(0x06, 0, 0, 0xFFFFFFFF),  # accept
    )
    fprog = struct.pack("HP", len(program), ctypes.addressof(program))
    try:
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
    except OSError as error:  # forbidden in some sandboxes
        log.info("New connections can be reset while the server closes: %s", error)


def _waiting_connections(listening: socket.socket) -> int:
    if sys.platform != "linux" or listening.family == socket.AF_UNIX:
        return 0
    info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED + 4)
    waiting: int = struct.unpack_from("I", info, _UNACKED)[0]
    return waiting
