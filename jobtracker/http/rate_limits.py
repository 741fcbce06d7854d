"""How often somebody may ask: a window that slides, counted by the library ``limits``.

An endpoint names its limits, and each limit names the setting that holds its rates::

    @notes.post(..., rate_limits=[NOTES_BY_USER])

The counters are the process's own, or Redis's where several processes share them (the setting
``rate_limits.storage``). Without Redis nobody is locked out: each process then counts for itself.
"""

import hashlib
import logging
import math
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

# Seconds that Redis has for an answer, and for which it is not asked again after it gave none.
REDIS_TIMEOUT = 0.5
REDIS_PAUSE = 10

# What one household or machine is given of IPv6: RFC 6177.
IPV6_PREFIX = 64


class RateLimit(NamedTuple):
    """The setting that holds the rates, and whom of a request they count."""

    setting: str
    who: Callable[[Request], str]


def _by_address(request: Request) -> str:
    address = client_address(request)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


AUTH_BY_ADDRESS = RateLimit("rate_limits.auth_by_address", _by_address)
# The same account whether its owner is signed in or not: passwords can be tried here and there.
AUTH_BY_EMAIL = RateLimit("rate_limits.auth_by_account", lambda request: request.validated["email"])
AUTH_BY_USER = RateLimit("rate_limits.auth_by_account", lambda request: request.identity.email)
PRESIGN_BY_USER = RateLimit(
    "rate_limits.presign_by_user", lambda request: request.authenticated_userid
)
NOTES_BY_USER = RateLimit("rate_limits.notes_by_user", lambda request: request.authenticated_userid)


class RateLimiter:
    """Counts. It can be shared by all threads.

    :param clock: seconds, for tests
    """

    def __init__(self, storage: str, clock: Callable[[], float] = time.monotonic) -> None:
        options = {}
        if storage != "memory://":
            options = {"socket_timeout": REDIS_TIMEOUT, "socket_connect_timeout": REDIS_TIMEOUT}
        shared = storage_from_string(storage, wrap_exceptions=True, **options)
        own = storage_from_string("memory://")
        self._shared = SlidingWindowCounterRateLimiter(shared)
        self._own = SlidingWindowCounterRateLimiter(own)
        self._clock = clock
        self._paused_until = -math.inf

    def hit(self, rate: limits.RateLimitItem, name: str, who: str) -> float:
        """Count once, and return the seconds until it makes sense to ask again: 0 when it may be.

        :param name: of what is counted
        :param who: whose it is; kept as a hash, since it can be an address of any length
        """
        key = (name, hashlib.sha256(who.encode()).hexdigest()[:32])
        if self._clock() >= self._paused_until:
            try:
                return _hit(self._shared, rate, key)
            except StorageError as error:
                self._paused_until = self._clock() + REDIS_PAUSE
                cause = type(error.storage_error).__name__
                log.error("Rate limits are counted by this process alone: %s", cause)
        return _hit(self._own, rate, key)


def _hit(
    limiter: SlidingWindowCounterRateLimiter, rate: limits.RateLimitItem, key: tuple[str, str]
) -> float:
    if limiter.hit(rate, *key):
        return 0
    return max(1, limiter.get_window_stats(rate, *key).reset_time - time.time())


def check_rates(rate_limits: Iterable[RateLimit], request: Request, **_kwargs: Any) -> None:
    """Count a request.

    :raises RateLimited: when there were too many
    """
    for limit in rate_limits:
        for rate in request.registry.settings[limit.setting]:
            wait = request.registry["rate_limiter"].hit(rate, limit.setting, limit.who(request))
            if wait:
                log.info("%s: too many", limit.setting)
                raise RateLimited(retry_after=math.ceil(wait))


def includeme(config: Any) -> None:
    try:
        limiter = RateLimiter(config.registry.settings["rate_limits.storage"])
    except limits.errors.ConfigurationError as error:
        raise InvalidSettings("rate_limits.storage", str(error)) from None
    config.registry["rate_limiter"] = limiter
