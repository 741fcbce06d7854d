"""Rate limits: what is counted by what, and where, is in docs/decisions/rate-limits.md.

An endpoint names its limits, and each limit the setting of its rates::

    @notes.post(..., rate_limits=[NOTES_BY_USER])
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from ipaddress import IPv6Address, ip_network
from typing import Any, NamedTuple

import limits
from pyramid.request import Request

from jobtracker.db.connections import autocommit, release_autocommit, release_reading
from jobtracker.errors import RateLimited
from jobtracker.http.proxies import client_address
from jobtracker.http.rate_limits.limiter import RateLimiter, hit
from jobtracker.http.rate_limits.memory import MemoryStorage
from jobtracker.settings import InvalidSettings

__all__ = ["RateLimit", "RateLimiter", "check_rate_limits", "count_hit", "refund_hit"]

REQUESTS_BY_USER = "rate_limits.requests_by_user"


class RateLimit(NamedTuple):
    """A setting with rates, and the function that returns what a request is counted by.

    :param in_memory: whether each process counts for itself, which executes no statement
    """

    setting: str
    key: Callable[[Request], str]
    in_memory: bool = False


def client_network(request: Request) -> str:
    """As :func:`network_of`, of a request."""
    return network_of(request.environ, request.registry)


def network_of(environ: Mapping[str, Any], registry: Any) -> str:
    """The client's address, or the /64 network of an IPv6 address: that of a site (RFC 6177)."""
    address = client_address(environ, registry)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)


def _operation(request: Request) -> str:
    return f"{request.method} {request.matched_route.name}"


def _by_email(request: Request) -> str:
    return f"{_operation(request)} {client_network(request)} {request.validated['email']}"


def _by_user(request: Request) -> str:
    return f"{_operation(request)} {request.authenticated_userid}"


_userid = operator.attrgetter("authenticated_userid")

AUTH_BY_ADDRESS = RateLimit("rate_limits.auth_by_address", client_network)
# All requests of an operation; jobtracker.auth.attempts counts the failed ones.
AUTH_BY_EMAIL = RateLimit("rate_limits.auth_by_account", _by_email)
AUTH_BY_USER = RateLimit("rate_limits.auth_by_account", _by_user)
AUTH_BY_SESSION = RateLimit(
    "rate_limits.auth_by_session", lambda request: request.validated["session"]
)
MFA_BY_USER = RateLimit("rate_limits.mfa_by_user", _userid)
PRESIGN_BY_USER = RateLimit("rate_limits.presign_by_user", _userid)
CONFIRM_BY_USER = RateLimit("rate_limits.confirm_by_user", _userid)
INTERVIEWS_BY_USER = RateLimit("rate_limits.interviews_by_user", _userid)
USAGE_BY_USER = RateLimit("rate_limits.usage_by_user", _userid)
REPORTS_BY_USER = RateLimit("rate_limits.reports_by_user", _userid)
IMPORTS_BY_USER = RateLimit("rate_limits.imports_by_user", _userid)
CREATIONS_BY_USER = RateLimit("rate_limits.creations_by_user", _by_user, in_memory=True)
CSV_BY_USER = RateLimit("rate_limits.csv_by_user", _userid)
NOTES_BY_USER = RateLimit("rate_limits.notes_by_user", _userid)


def check_rate_limits(rate_limits: Iterable[RateLimit], request: Request, **_kwargs: Any) -> None:
    """Count a request, or raise RateLimited when a limit is exceeded."""
    for limit in rate_limits:
        if limit.in_memory:
            request.registry["memory_rate_limiter"].count(limit.key(request), limit.setting)
        else:
            count_hit(request, limit.setting, limit.key(request))


def count_hit(request: Request, setting: str, key: str) -> None:
    """Count a hit in all rates of a setting; in none of them, and RateLimited, beyond one. The
    request has not written anything yet."""
    release_reading(request)
    counted: list[limits.RateLimitItem] = []
    for rate in request.registry.settings[setting]:
        if wait := request.registry["rate_limiter"].hit(rate, setting, key):
            _refund(request, counted, setting, key)
            raise _rate_limited(setting, wait)
        counted.append(rate)


def _rate_limited(setting: str, seconds: float) -> RateLimited:
    limit = setting.removeprefix("rate_limits.")
    return RateLimited(limit=limit, retry_after=math.ceil(seconds))


def refund_hit(request: Request, setting: str, key: str) -> None:
    """Undo :func:`count_hit`."""
    release_autocommit(request)
    _refund(request, request.registry.settings[setting], setting, key)


def _refund(
    request: Request, rates: Iterable[limits.RateLimitItem], setting: str, key: str
) -> None:
    for rate in rates:
        request.registry["rate_limiter"].refund(rate, setting, key)


class MemoryRateLimiter:
    """Counts in the memory of this process alone, all requests of a user or the creations of one
    kind: a statement for each of them would cost as much as the requests themselves."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._storage = MemoryStorage()

    def count(self, key: str, setting: str = REQUESTS_BY_USER) -> None:
        """Count a request; RateLimited beyond the rates.

        :param key: the ``sub``, after the operation unless these are all requests
        """
        for rate in self._settings[setting]:
            if wait := hit(self._storage, rate, key):
                raise _rate_limited(setting, wait)


def includeme(config: Any) -> None:
    registry = config.registry
    storage = registry.settings["rate_limits.storage"]
    try:
        registry["rate_limiter"] = RateLimiter(storage, connect=partial(autocommit, registry))
    except limits.errors.ConfigurationError as error:
        raise InvalidSettings(("rate_limits.storage", str(error))) from None
    registry["memory_rate_limiter"] = MemoryRateLimiter(registry.settings)
