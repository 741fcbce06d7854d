"""Rate limits: a sliding window, counted by the library ``limits``.

An endpoint names its limits, and each limit the setting of its rates::

    @notes.post(..., rate_limits=[NOTES_BY_USER])

The counters are in the memory of each process, or in Redis (the setting ``rate_limits.storage``).
While Redis is unavailable, each process counts for itself.
"""

import hashlib
import logging
import math
import operator
import time
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_network
from typing import Any, NamedTuple

import limits
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter
from pyramid.request import Request

from jobtracker.errors import RateLimited
from jobtracker.http.proxies import client_address
from jobtracker.settings import InvalidSettings

log = logging.getLogger(__name__)

# Seconds: the time-out of Redis, and how long it is not used after an error.
REDIS_TIMEOUT = 0.5
REDIS_PAUSE = 10


class RateLimit(NamedTuple):
    """A setting with rates, and the function that returns what a request is counted by."""

    setting: str
    key: Callable[[Request], str]


def _address(request: Request) -> str:
    address = client_address(request)
    if isinstance(address, IPv6Address):  # a site has a prefix of 64 bits: RFC 6177
        return str(ip_network((address, 64), strict=False))
    return str(address)


AUTH_BY_ADDRESS = RateLimit("rate_limits.auth_by_address", _address)
# One count for an account, signed in or not: passwords can be guessed either way.
AUTH_BY_EMAIL = RateLimit("rate_limits.auth_by_account", lambda request: request.validated["email"])
AUTH_BY_USER = RateLimit("rate_limits.auth_by_account", lambda request: request.identity.email)
_userid = operator.attrgetter("authenticated_userid")
PRESIGN_BY_USER = RateLimit("rate_limits.presign_by_user", _userid)
CONFIRM_BY_USER = RateLimit("rate_limits.confirm_by_user", _userid)
NOTES_BY_USER = RateLimit("rate_limits.notes_by_user", _userid)


class RateLimiter:
    """Counts requests, thread-safe."""

    def __init__(self, storage: str, clock: Callable[[], float] = time.monotonic) -> None:
        options = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), REDIS_TIMEOUT)
        if storage == "memory://":
            options = {}
        shared = storage_from_string(storage, wrap_exceptions=True, **options)
        self._shared = SlidingWindowCounterRateLimiter(shared)
        self._fallback = SlidingWindowCounterRateLimiter(storage_from_string("memory://"))
        self._clock = clock
        self._paused_until = -math.inf

    def hit(self, rate: limits.RateLimitItem, name: str, key: str) -> float:
        """Count a request, and return the seconds until the next one is allowed, or 0."""
        # A hash, since an address can be long.
        identifiers = (name, hashlib.sha256(key.encode()).hexdigest()[:32])

        def wait(limiter: SlidingWindowCounterRateLimiter) -> float:
            if limiter.hit(rate, *identifiers):
                return 0
            return max(1, limiter.get_window_stats(rate, *identifiers).reset_time - time.time())

        if self._clock() >= self._paused_until:
            try:
                return wait(self._shared)
            except StorageError as error:
                self._paused_until = self._clock() + REDIS_PAUSE
                cause = type(error.storage_error).__name__
                log.error("Rate limits are counted by this process alone: %s", cause)
        return wait(self._fallback)


def check_rate_limits(rate_limits: Iterable[RateLimit], request: Request, **_kwargs: Any) -> None:
    """Count a request, or raise RateLimited when a limit is exceeded."""
    for limit in rate_limits:
        for rate in request.registry.settings[limit.setting]:
            wait = request.registry["rate_limiter"].hit(rate, limit.setting, limit.key(request))
            if wait:
                log.info("%s: exceeded", limit.setting)
                raise RateLimited(retry_after=math.ceil(wait))


def includeme(config: Any) -> None:
    try:
        limiter = RateLimiter(config.registry.settings["rate_limits.storage"])
    except limits.errors.ConfigurationError as error:
        raise InvalidSettings("rate_limits.storage", str(error)) from None
    config.registry["rate_limiter"] = limiter
