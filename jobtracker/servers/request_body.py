"""Reading of a request body in the event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jobtracker.errors import BadRequest, PayloadTooLarge


async def read_body(
    environ: Mapping[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    *,
    max_bytes: int,
    timeout: float,
) -> bytes:
    """The body of an ASGI request, its transfer coding decoded.

    :param timeout: seconds for the whole body
    :raises BadRequest: where it is incomplete: malformed chunks, a closed connection, time-out
    :raises PayloadTooLarge: beyond max_bytes
    """
    # Transfer-Encoding overrides Content-Length (RFC 9112, 6.3).
    is_chunked = "HTTP_TRANSFER_ENCODING" in environ
    length = None if is_chunked else int(environ.get("CONTENT_LENGTH", 0))
    parts, received, more = [], 0, True
    try:
        async with asyncio.timeout(timeout):
            while more and received != length:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise BadRequest
                parts.append(message["body"])
                received += len(message["body"])
                more = message["more_body"]
                if received > max_bytes:
                    raise PayloadTooLarge
    except TimeoutError:
        raise BadRequest from None
    return b"".join(parts)
