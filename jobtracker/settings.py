"""The settings of JobTracker in ``[app:main]``: their names, types and defaults.

Values can refer to environment variables, as ``${NAME}``, so that no secret is in the ini file. A
blank value counts as left out.
"""

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import limits
from psycopg.pq import Conninfo
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from jobtracker.environment import UnsetVariable, Variable, expand

# W3C Trace Context, and what Sentry's SDK for browsers sends.
TRACING_HEADERS = ("baggage", "sentry-trace", "traceparent", "tracestate")
# Segments of unreserved characters (RFC 3986, 2.3), none of them "." or "..".
PATH_PREFIX = r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*"
TURNSTILE_URL = "https://challenges.cloudflare.com/turnstile/v0/siteverify"
# Cloudflare accepts every token with this secret, so it must not be used with Cloudflare's URL:
# https://developers.cloudflare.com/turnstile/troubleshooting/testing/
TURNSTILE_PASS_ALL_SECRET = "1x0000000000000000000000000000000AA"  # noqa: S105 (published)


class InvalidSettings(SystemExit):
    """Settings that are missing, malformed or unknown: their names, each with the reason.

    A SystemExit, so that pserve, pshell and alembic stop with a line for each instead of a
    traceback.
    """

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__("\n".join(f"Setting {name}: {reason}" for name, reason in problems))
        self.problems = problems


def _matching(pattern: str, reason: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(reason)
        return value

    return parse


_word = _matching(r"\S+", "must not contain blanks")
_REGION = r"[a-z]{2,3}(-[a-z]+)+-[0-9]+"
_region = _matching(_REGION, "must look like eu-central-1")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_bucket = _matching(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "must be the name of a bucket")
_user_pool_id = _matching(r"[\w-]+_[0-9a-zA-Z]+", "must look like us-east-1_AbCdEfGhI")
_issuer = _matching(r"https?://[^\s?#]+", "must be a URL, to the letter as in the tokens' iss")

# What comes after the scheme of a URL: user and password, in which @ / ? # % are percent-encoded
# (RFC 3986, 3.2.1), host and port, path, query. Otherwise a part of the password would be taken for
# the host, and get into logs and error messages.
_AFTER_SCHEME = re.compile(
    r"((?:[^\s@/?#%]|%[0-9A-Fa-f]{2})*@)?[^\s@/?#]*(/[^\s@?#]*)?(\?[^\s@#]*)?"
)
_PERCENT_ENCODE = (
    "is not a valid URL: in its user and password, @ / ? # and % have to be percent-encoded, "
    "as %40 %2F %3F %23 and %25 (in an ini file, % is written as %%)"
)


def _integer(digits: int, least: int, most: float, reason: str) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(f"[0-9]{{1,{digits}}}", value) or not least <= int(value) <= most:
            raise ValueError(reason)
        return int(value)

    return parse


_positive = _integer(9, 1, math.inf, "must be a whole number above 0")
_bytes = _integer(15, 1, math.inf, "must be a whole number of bytes above 0")
_grace_days = _integer(4, 0, 30, "must be a whole number of days from 0 to 30")


def _boolean(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return value.lower() == "true"


def _one_of(*values: str) -> Callable[[str], str]:
    return _matching("|".join(values), f"must be {' or '.join(values)}")


def _rate_limit_storage(value: str) -> str:
    """Parse the URL of the storage of rate limits; messages contain no part of it."""
    if value in ("memory://", "postgresql://"):
        return value
    scheme, separator, rest = value.partition("://")
    if not separator or not re.fullmatch(r"rediss?|redis\+(cluster|sentinel|unix)", scheme):
        raise ValueError("must be postgresql://, memory:// or begin with redis://")
    if not _AFTER_SCHEME.fullmatch(rest):
        raise ValueError(_PERCENT_ENCODE)
    try:
        parts = urlsplit(value)
        if scheme in ("redis", "rediss"):  # the others can have several addresses
            _ = parts.port
    except ValueError:
        raise ValueError(_PERCENT_ENCODE) from None
    return value


def words(value: str) -> list[str]:
    """The items of a list, which are separated by blanks, commas or both."""
    return value.replace(",", " ").split()


def _networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(word) for word in words(value))
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


def _database_url(value: str) -> str:
    """Parse the URL of the database; messages contain no part of it."""
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in ("postgresql", "postgresql+psycopg"):
        raise ValueError("must be a URL like postgresql://user:password@host/database")
    if not _AFTER_SCHEME.fullmatch(rest):
        raise ValueError(_PERCENT_ENCODE)
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError(_PERCENT_ENCODE) from None
    # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
    if not url.query.keys() <= {each.keyword.decode() for each in Conninfo.get_defaults()}:
        raise ValueError("has a parameter in its query that PostgreSQL does not have")
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def _url(value: str) -> str:
    """Parse an https URL, or an http URL of this machine; a slash at the end is removed."""
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
    """Whether a host, without its port, is this machine's by its name or address."""
    try:
        address = ip_address(host)
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _origins(value: str) -> tuple[str, ...]:
    origins = words(value)
    if not all(re.fullmatch(r"https?://[^/?#\s]+", origin) for origin in origins):
        raise ValueError("must be origins like https://app.example.com, without a path")
    return tuple(origin.lower() for origin in origins)


def _header_names(value: str) -> tuple[str, ...]:
    names = words(value)
    if not all(re.fullmatch(r"[A-Za-z0-9-]+", name) for name in names):
        raise ValueError("must be names of headers like sentry-trace, without *")
    return tuple(names)


def _public_origin(value: str) -> str:
    match = re.fullmatch(rf"(https?://[^/?#\s]+)({PATH_PREFIX})/?", value)
    if not match:
        raise ValueError("must be one origin like https://api.example.com, and perhaps a path")
    return match[1].lower() + match[2]


def _address(value: str) -> tuple[str, int]:
    """Parse host:port, or [IPv6 address]:port."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})", value)
    if not match or not 0 < int(match[3]) < 2**16:
        raise ValueError("must be an address and a port like 127.0.0.1:9464 or [::1]:9464")
    return match[1] or match[2], int(match[3])


class Setting(NamedTuple):
    """A setting, required if it has no default; ``parse`` raises ValueError with the reason."""

    name: str
    parse: Callable[[str], Any]
    default: Any = ...


SETTINGS = (
    Setting("sqlalchemy.url", _database_url),
    Setting("sqlalchemy.reading_url", _database_url, None),
    Setting("sqlalchemy.migrations_url", _database_url, None),  # None: sqlalchemy.url
    Setting("sqlalchemy.session_settings", _one_of("connect", "role"), "connect"),
    Setting("sqlalchemy.prepare", _boolean, True),
    Setting("sqlalchemy.pool_size", _positive, 14),
    Setting("sqlalchemy.max_overflow", _positive, 6),
    Setting("sqlalchemy.transaction_pool_size", _positive, None),  # None: sqlalchemy.pool_size
    Setting("sqlalchemy.transaction_max_overflow", _positive, None),
    Setting("sqlalchemy.min_idle", _positive, 1),
    Setting("sqlalchemy.idle_timeout", _positive, 60),
    Setting("sqlalchemy.pool_timeout", _positive, 2),
    Setting("sqlalchemy.connect_timeout", _positive, 3),
    Setting("sqlalchemy.statement_timeout", _positive, 3),
    Setting("sqlalchemy.lock_timeout", _positive, 2),
    Setting("sqlalchemy.idle_in_transaction_timeout", _positive, 30),
    Setting("gateways.connect_timeout", _positive, 1),
    Setting("gateways.read_timeout", _positive, 2),
    Setting("cognito.region", _region),
    Setting("cognito.user_pool_id", _user_pool_id),
    Setting("cognito.client_id", _word),
    Setting("cognito.client_secret", _word, None),
    Setting("cognito.endpoint_url", _url, None),
    Setting("cognito.issuer", _issuer, None),
    Setting("cognito.access_key_id", _word, None),
    Setting("cognito.secret_access_key", _word, None),
    Setting("s3.region", _region),
    Setting("s3.bucket", _bucket),
    Setting("s3.endpoint_url", _url, None),
    Setting("s3.access_key_id", _word, None),
    Setting("s3.secret_access_key", _word, None),
    Setting("documents.max_bytes", _positive, 5 * 1024 * 1024),
    Setting("documents.upload_seconds", _positive, 900),
    Setting("documents.download_seconds", _positive, 300),
    Setting("documents.malware_scan", _boolean, False),
    Setting("turnstile.secret", _word, None),
    Setting("turnstile.url", _url, TURNSTILE_URL),
    Setting("rate_limits.storage", _rate_limit_storage, "postgresql://"),
    Setting("rate_limits.auth_by_address", _rates, _rates("120/minute; 1200/hour")),
    Setting("rate_limits.auth_by_account", _rates, _rates("10/minute; 60/hour")),
    Setting("rate_limits.auth_by_session", _rates, _rates("10/minute")),
    Setting("rate_limits.mfa_by_user", _rates, _rates("60/minute")),
    Setting("rate_limits.auth_total_by_account", _rates, _rates("20/minute; 100/hour")),
    Setting("rate_limits.mails_by_account", _rates, _rates("10/hour")),
    Setting("rate_limits.requests_by_user", _rates, _rates("1200/minute")),
    Setting("rate_limits.presign_by_user", _rates, _rates("60/minute; 1000/day")),
    Setting("rate_limits.notes_by_user", _rates, _rates("300/minute; 10000/day")),
    Setting("rate_limits.interviews_by_user", _rates, _rates("300/minute; 5000/day")),
    Setting("rate_limits.usage_by_user", _rates, _rates("120/minute")),
    Setting("rate_limits.reports_by_user", _rates, _rates("120/minute")),
    Setting("rate_limits.csv_by_user", _rates, _rates("20/minute; 300/day")),
    Setting("rate_limits.imports_by_user", _rates, _rates("10/minute; 30/day")),
    Setting("rate_limits.creations_by_user", _rates, _rates("20000/day")),
    Setting("rate_limits.confirm_by_user", _rates, _rates("60/minute")),
    Setting("activity.days", _positive, None),
    Setting("accounts.grace_days", _grace_days, 0),
    Setting("trash.days", _positive, 30),
    Setting("sweeper.interval", _positive, 60),
    Setting("audit.days", _positive, 400),
    Setting("sweeper.statement_timeout", _positive, 60),
    Setting("tasks.lease", _positive, 30),
    Setting("quotas.jobs", _positive, 10_000),
    Setting("quotas.notes_per_job", _positive, 1_000),
    Setting("quotas.interviews_per_job", _positive, 200),
    Setting("quotas.history_per_job", _positive, 200),
    Setting("quotas.activity_per_job", _positive, 1_000),
    Setting("quotas.documents", _positive, 2_000),
    Setting("quotas.document_bytes", _bytes, 1024**3),
    Setting("quotas.saved_views", _positive, 100),
    Setting("quotas.idempotency_keys", _positive, 10_000),
    Setting("proxies.trusted", _networks, ()),
    Setting("cache.max_bytes", _positive, 16 * 1024 * 1024),
    Setting("cache.max_tokens", _positive, 200_000),
    Setting("cursors.secret", _word, None),
    Setting("cors.origins", _origins, ()),
    Setting("cors.headers", _header_names, TRACING_HEADERS),
    Setting("http.public_origin", _public_origin, None),
    Setting("http.hsts_max_age", _positive, None),
    Setting("metrics.listen", _address, None),
)
_PREFIXES = tuple({setting.name.partition(".")[0] + "." for setting in SETTINGS})


def read(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an ini file, parsed; those of other packages are left as they are.

    :raises InvalidSettings: for all settings that are missing, malformed or unknown
    """
    typed, problems = parse(raw)
    if problems:
        raise InvalidSettings(*problems)
    return {**raw, **typed}


def parse(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the settings of an ini file, parsed, and those that are missing, malformed or unknown,
    each with the reason; in their place the default, or None without one."""
    known = {setting.name for setting in SETTINGS}
    unknown = (name for name in raw if name.startswith(_PREFIXES) and name not in known)
    problems = [(name, "there is no such setting") for name in unknown]
    typed = {each.name: None if each.default is ... else each.default for each in SETTINGS}
    for setting in SETTINGS:
        try:
            typed[setting.name] = _read_one(setting, raw.get(setting.name, ""))
        except UnsetVariable as error:
            # Two settings can use one variable: it is reported once.
            if str(error) not in (reason for _name, reason in problems):
                problems.append((setting.name, str(error)))
        except ValueError as error:
            problems.append((setting.name, str(error)))
    if not problems:
        problems.extend(_contradictions(typed))
    return typed, problems


def _contradictions(typed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings that are valid, but not together, each with the reason."""
    is_pass_all = typed["turnstile.secret"] == TURNSTILE_PASS_ALL_SECRET
    if is_pass_all and typed["turnstile.url"] == TURNSTILE_URL:
        yield "turnstile.secret", "is the published test secret that lets all pass"
    for service in ("cognito", "s3"):
        key_id, secret = f"{service}.access_key_id", f"{service}.secret_access_key"
        if bool(typed[key_id]) != bool(typed[secret]):
            yield key_id, f"goes with {secret}, both or neither"
    # The id of a pool of AWS begins with its region, in which the issuer of its tokens is.
    region = typed["cognito.user_pool_id"].partition("_")[0]
    is_aws = typed["cognito.issuer"] is None
    if is_aws and re.fullmatch(_REGION, region) and region != typed["cognito.region"]:
        yield "cognito.user_pool_id", f"is a pool of {region}, but cognito.region is another region"


def insecure_settings(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings that leave a connection open to others, each with the reason."""
    names = ("sqlalchemy.url", "sqlalchemy.reading_url", "sqlalchemy.migrations_url")
    for name in names:
        if settings[name] is None:
            continue
        url = make_url(settings[name])
        query = url.normalized_query
        *_, sslmode = query.get("sslmode", (os.environ.get("PGSSLMODE", "prefer"),))
        hosts = [url.host or "", *query.get("host", ()), *query.get("hostaddr", ())]
        if any(map(_is_remote, hosts)) and sslmode != "verify-full":
            reason = f"has sslmode={sslmode}: only verify-full authenticates the server"
            yield name, f"{reason}, which is another machine"
    storage = urlsplit(settings["rate_limits.storage"])
    is_plain = storage.scheme in ("redis", "redis+cluster", "redis+sentinel")
    addresses = storage.netloc.rpartition("@")[2].split(",")  # of a cluster, several
    if is_plain and any(map(_is_remote, addresses)):
        yield "rate_limits.storage", "is another machine without TLS: rediss:// encrypts"
    for name in ("cors.origins", "http.public_origin"):
        origins = settings[name] or ()
        for origin in [origins] if isinstance(origins, str) else origins:
            if origin.startswith("http://") and _is_remote(origin.removeprefix("http://")):
                yield name, f"{origin} is not https: tokens can be read on the way"


def _is_remote(address: str) -> bool:
    """Whether host, host:port, [IPv6]:port or the directory of a Unix socket is another machine."""
    if address.startswith("["):
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:
        address = address.partition(":")[0]
    return not (address.startswith(("/", "@")) or address == "" or is_loopback(address))


def _read_one(setting: Setting, raw: str) -> Any:
    """:raises ValueError: with the reason"""
    if value := expand(raw):
        parsed = setting.parse(value)
        if isinstance(parsed, str) and "${" in raw:
            return Variable.of(parsed, setting.name, lambda: _read_one(setting, raw) or "")
        return parsed
    if setting.default is ...:
        raise ValueError("is required")
    return setting.default
