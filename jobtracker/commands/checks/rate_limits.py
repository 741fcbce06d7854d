"""The storage of rate limits: Redis, if it is not PostgreSQL."""

from collections.abc import Iterator, Mapping
from typing import Any

from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from jobtracker.commands.checks import Result, error, ok, warning
from jobtracker.http.rate_limits.limiter import REDIS_TIMEOUT

STORAGE = "rate_limits.storage"


def check(settings: Mapping[str, Any]) -> Iterator[Result]:
    url = settings[STORAGE]
    if url == "postgresql://":
        yield ok("Rate limits", STORAGE, "in PostgreSQL")
        return
    if url == "memory://":
        yield warning("Rate limits", STORAGE, "in memory: each process counts for itself")
        return
    options = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), REDIS_TIMEOUT)
    try:
        answers = storage_from_string(url, **options).check()
    except ConfigurationError as problem:
        yield error("Redis", STORAGE, str(problem))
        return
    except Exception as problem:  # of redis, which is not installed everywhere
        yield error("Redis", STORAGE, type(problem).__name__)
        return
    yield ok("Redis", STORAGE, "answers") if answers else error("Redis", STORAGE, "does not answer")
