"""Requests of waitress, whose bodies are received as far as an operation takes them."""

import copy
import re
import time
from typing import Any

from pyramid.registry import Registry
from waitress.parser import HTTPRequestParser

from jobtracker.errors import ApiError
from jobtracker.http.links import without_prefix
from jobtracker.http.service import Operation
from jobtracker.servers import check_host
from jobtracker.servers.limits import Limits
from jobtracker.servers.request_bodies import max_body_bytes, needs_authorization

_ORIGIN = re.compile(rb"^Origin:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


class RequestParser(HTTPRequestParser):
    """Decides what to receive of a body when the header is complete."""

    #: Whether the access token is verified before the rest of the body is received.
    needs_authorization = False
    #: Whether some of the body is not received.
    is_incomplete = False
    adj: Any
    body_rcv: Any
    #: The maximum size of the body, its length if that is known.
    size = 0

    def __init__(self, registry: Registry, limits: Limits, adj: Any) -> None:
        super().__init__(adj)
        self._registry = registry
        self._limits = limits
        self.began = time.time()

    def received(self, data: bytes) -> int:
        is_header = not self.headers_finished
        header = self.header_plus + data if is_header else b""
        consumed = super().received(data)
        if is_header and self.headers_finished and not (self.error or self.empty):
            try:
                self._check_header()
            except ApiError as error:
                self.reject(error)
        if self.error:
            self.expect_continue = False  # otherwise waitress goes on receiving
            self.is_incomplete = True
            # waitress does not parse a header that is too large, nor one after a malformed line.
            if "ORIGIN" not in self.headers and (origin := _ORIGIN.search(header)):
                self.headers["ORIGIN"] = origin[1].strip().decode("latin-1")
        return consumed

    def _check_header(self) -> None:
        self.began = time.time()  # of the body
        check_host(self.headers.get("HOST", ""), f"HTTP/{self.version}")
        # Of two framings a proxy can have chosen the other one: what follows can be of the body
        # (RFC 9112, 6.1). waitress ignores the transfer coding of HTTP/1.0.
        names = self.headers.keys()
        if "TRANSFER_ENCODING" in names or (self.chunked and "CONTENT_LENGTH" in names):
            self.connection_close = True
        if self.body_rcv is None:
            return
        operation = self.operation
        if operation is None:  # the application answers 404 or 405, whatever the body
            self.body_rcv = None
            self.is_incomplete = self.completed = self.connection_close = True
            self.expect_continue = False
            self.headers["CONTENT_LENGTH"] = "0"
            self.headers["CONNECTION"] = "close"
            return
        length = None if self.chunked else self.content_length
        limit = max_body_bytes(operation, length, self._limits.body_bytes)
        self.adj = copy.copy(self.adj)
        self.adj.max_request_body_size = limit + 1  # waitress rejects what is not less
        self.size = limit if length is None else length
        self.needs_authorization = needs_authorization(operation, self.size)

    @property
    def path_info(self) -> str:
        """The path as waitress passes it on: its setting ``url_prefix`` becomes SCRIPT_NAME."""
        return without_prefix("/" + self.path.lstrip("/"), self.adj.url_prefix)

    @property
    def operation(self) -> Operation | None:
        """What is requested; None if there is no such operation."""
        operation: Operation | None = self._registry["find_operation"](self.command, self.path_info)
        return operation

    def reject(self, error: ApiError) -> None:
        self.error = error
        self.completed = self.is_incomplete = True
        self.expect_continue = False
