"""Every setting of JobTracker: its name, what a valid value is, and what holds without it.

Values may name environment variables, ``${LIKE_THIS}``, so that no secret stands in a file. A
blank value is the same as none.
"""

import os
import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import limits
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

TURNSTILE_URL = "https://challenges.cloudflare.com/turnstile/v0/siteverify"

# https://developers.cloudflare.com/turnstile/troubleshooting/testing/: with this secret Cloudflare
# passes everybody, so a server that asks Cloudflare itself must not be given it.
TURNSTILE_PASS_ALL_SECRET = "1x0000000000000000000000000000000AA"  # noqa: S105 (published)


class InvalidSettings(SystemExit):
    """A setting that is missing or malformed.

    It is a SystemExit so that pserve, pshell and alembic stop with its one line, not a traceback.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"Setting {name}: {reason}")


def _word(value: str) -> str:
    if not re.fullmatch(r"\S+", value):
        raise ValueError("must not contain blanks")
    return value


def _region(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[a-z]+)+-[0-9]+", value):
        raise ValueError("must look like eu-central-1")
    return value


def _bucket(value: str) -> str:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value):
        raise ValueError("must be the name of a bucket")
    return value


def _words(value: str) -> tuple[str, ...]:
    return tuple(value.split())


def _positive(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) == 0:
        raise ValueError("must be a whole number above 0")
    return int(value)


def _networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(word) for word in value.split())
    except ValueError:
        raise ValueError("must be addresses or networks like 10.0.0.0/8") from None


def _rates(value: str) -> tuple[limits.RateLimitItem, ...]:
    try:
        rates = tuple(limits.parse_many(value))
    except ValueError:
        rates = ()
    if not rates or not all(rate.amount for rate in rates):
        raise ValueError("must be rates like 10/minute; 100/hour")
    return rates


def _rates_storage(value: str) -> str:
    if not re.match(r"memory://$|rediss?://|redis\+(cluster|sentinel|unix)://", value):
        raise ValueError("must be memory:// or begin with redis://")
    return value


def _database_url(value: str) -> str:
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):  # whose text may hold a part of the password
        raise ValueError("must be a URL like postgresql://user:password@host/database") from None
    if url.drivername not in ("postgresql", "postgresql+psycopg"):
        raise ValueError("must begin with postgresql://")
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def _url(value: str) -> str:
    """An https URL. Plain http goes no farther than this machine: whoever is asked there for
    tokens, codes and documents is no network away."""
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("must be a URL like https://host")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("must begin with https:// (http:// is for this machine's own addresses)")
    return value.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _user_pool_id(value: str) -> str:
    if not re.fullmatch(r"[\w-]+_[0-9a-zA-Z]+", value):
        raise ValueError("must look like us-east-1_AbCdEfGhI")
    return value


def _origins(value: str) -> tuple[str, ...]:
    origins = _words(value)
    for origin in origins:
        if not re.fullmatch(r"https?://[^/?#\s]+", origin):
            raise ValueError("must be origins like https://app.example.com, without a path")
    return tuple(origin.lower() for origin in origins)


class Setting(NamedTuple):
    """One setting. Without a default it is required."""

    name: str
    parse: Callable[[str], Any]
    default: Any = ...


SETTINGS = (
    # PostgreSQL
    Setting("sqlalchemy.url", _database_url),
    Setting("sqlalchemy.pool_size", _positive, 12),
    Setting("sqlalchemy.max_overflow", _positive, 8),
    Setting("sqlalchemy.pool_timeout", _positive, 2),
    Setting("sqlalchemy.connect_timeout", _positive, 2),
    Setting("sqlalchemy.statement_timeout", _positive, 3),
    Setting("sqlalchemy.lock_timeout", _positive, 2),
    Setting("sqlalchemy.idle_in_transaction_timeout", _positive, 30),
    # Cognito, S3 and Turnstile
    Setting("gateways.connect_timeout", _positive, 1),
    Setting("gateways.read_timeout", _positive, 2),
    # Cognito
    Setting("cognito.region", _region),
    Setting("cognito.user_pool_id", _user_pool_id),
    Setting("cognito.client_id", _word),
    Setting("cognito.endpoint_url", _url, None),
    # S3
    Setting("s3.region", _region),
    Setting("s3.bucket", _bucket),
    Setting("s3.endpoint_url", _url, None),
    Setting("s3.access_key_id", _word, None),
    Setting("s3.secret_access_key", _word, None),
    # Documents
    Setting("documents.max_bytes", _positive, 5 * 1024 * 1024),
    Setting("documents.upload_seconds", _positive, 900),
    Setting("documents.download_seconds", _positive, 300),
    # Turnstile
    Setting("turnstile.secret", _word, None),
    Setting("turnstile.url", _url, TURNSTILE_URL),
    # Who may ask how often
    Setting("rate_limits.storage", _rates_storage, "memory://"),
    Setting("rate_limits.auth_by_address", _rates, _rates("120/minute; 1200/hour")),
    Setting("rate_limits.auth_by_account", _rates, _rates("10/minute; 60/hour")),
    Setting("rate_limits.presign_by_user", _rates, _rates("60/minute")),
    Setting("rate_limits.notes_by_user", _rates, _rates("300/minute")),
    Setting("proxies.trusted", _networks, ()),
    # Polling and pages
    Setting("cache.max_bytes", _positive, 8 * 1024 * 1024),
    Setting("cursors.secret", _word, None),
    # Browsers
    Setting("cors.origins", _origins, ()),
)

_OUR_PREFIXES = tuple({setting.name.partition(".")[0] + "." for setting in SETTINGS})


def read(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an ini file, checked and typed; those of other packages as they are.

    :raises InvalidSettings: for the first that is missing, malformed or not known
    """
    known = {setting.name for setting in SETTINGS}
    for name in raw:
        if name.startswith(_OUR_PREFIXES) and name not in known:
            raise InvalidSettings(name, "there is no such setting")
    typed = {setting.name: _read_one(setting, raw.get(setting.name, "")) for setting in SETTINGS}
    if (typed["turnstile.secret"], typed["turnstile.url"]) == (
        TURNSTILE_PASS_ALL_SECRET,
        TURNSTILE_URL,
    ):
        raise InvalidSettings("turnstile.secret", "is the published test secret that lets all pass")
    if typed["cursors.secret"] is None:  # known to all of our processes, and to nobody else
        typed["cursors.secret"] = typed["sqlalchemy.url"]
    if bool(typed["s3.access_key_id"]) != bool(typed["s3.secret_access_key"]):
        raise InvalidSettings("s3.access_key_id", "goes with s3.secret_access_key, both or neither")
    return {**raw, **typed}


def _read_one(setting: Setting, raw: str) -> Any:
    value = re.sub(r"\$\{(\w+)\}", lambda match: _environ(setting.name, match[1]), raw).strip()
    if not value:
        if setting.default is ...:
            raise InvalidSettings(setting.name, "is required")
        return setting.default
    try:
        return setting.parse(value)
    except ValueError as error:
        raise InvalidSettings(setting.name, str(error)) from None


def _environ(setting_name: str, variable: str) -> str:
    try:
        return os.environ[variable]
    except KeyError:
        reason = f"the environment variable {variable} is not set"
        raise InvalidSettings(setting_name, reason) from None
