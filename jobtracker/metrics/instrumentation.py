"""Measurements of what a process has: its classes are replaced by subclasses that measure.

So nothing is in the way of a call where metrics are off, and the code that is measured knows
nothing of them.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import psycopg
from botocore import exceptions as botocore_errors
from psycopg import errors as pg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, event
from sqlalchemy import exc as sqlalchemy_exc

from jobtracker.auth.http_client import JsonClient
from jobtracker.auth.tokens import AccessTokens
from jobtracker.auth.turnstile import Turnstile
from jobtracker.db.engine import CONCURRENCY_ERRORS, ResponseTimeout, TimeoutConnection
from jobtracker.errors import DATABASE_ERRORS, BadRequest, RateLimited, Unavailable
from jobtracker.http.conditional import CachedResponse, ResponseCache
from jobtracker.http.rate_limits import REQUESTS_BY_USER, MemoryRateLimiter, RateLimiter
from jobtracker.metrics.definitions import Metrics

# The codes of AWS for too many requests to the user pool or the bucket.
THROTTLING = frozenset({"TooManyRequestsException", "ThrottlingException", "SlowDown"})
_TIMEOUTS = (
    pg.QueryCanceled,
    pg.LockNotAvailable,
    pg.ConnectionTimeout,
    pg.IdleInTransactionSessionTimeout,
    ResponseTimeout,
    sqlalchemy_exc.TimeoutError,
)


class Measured:
    """Has the metrics of this process."""

    metrics: ClassVar[Metrics]


def instrument(registry: Any, metrics: Metrics) -> None:
    """Measure the connections, clients, caches and rate limits of an application."""
    Measured.metrics = metrics
    engines = [registry["db_engine"], registry["db_autocommit_engine"]]
    if "db_replica" in registry:
        engines.append(registry["db_replica"].engine)
    for engine in engines:
        replace_class(engine, MeasuredEngine)
        event.listen(engine, "connect", _measure_connection)
    for service, client in (("cognito", registry["cognito"]), ("s3", registry["bucket"])):
        measure_aws(client.client, service, metrics)
    replace_class(registry["turnstile"], MeasuredTurnstile)
    replace_class(registry["access_tokens"], MeasuredAccessTokens)
    replace_class(registry["access_tokens"].keys.http, MeasuredJWKSClient)
    replace_class(registry["response_cache"], MeasuredResponseCache)
    replace_class(registry["rate_limiter"], MeasuredRateLimiter)
    replace_class(registry["memory_rate_limiter"], MeasuredMemoryRateLimiter)


def replace_class(instance: Any, measured: type) -> None:
    """Make an instance one of a subclass of its class."""
    instance.__class__ = measured


def _measure_connection(connection: Any, _record: Any) -> None:
    replace_class(connection, MeasuredConnection)


@contextlib.contextmanager
def observe_postgresql(operation: str) -> Iterator[None]:
    """Observe the time of an operation of PostgreSQL, and its outcome."""
    began, outcome = time.perf_counter(), "ok"
    try:
        yield
    except DATABASE_ERRORS as error:
        outcome = postgresql_outcome(error)
        raise
    finally:
        _observe_postgresql(operation, outcome, began)


def _observe_postgresql(operation: str, outcome: str, began: float) -> None:
    Measured.metrics.postgresql[operation, outcome].observe(time.perf_counter() - began)


class MeasuredConnection(TimeoutConnection):
    def run(
        self, query: Any, params: Mapping[str, Any] | None, *, binary: bool, repeatable: bool
    ) -> psycopg.Cursor[Any]:
        # Not observe_postgresql(), which takes three times as long.
        began = time.perf_counter()
        try:
            cursor = super().run(query, params, binary=binary, repeatable=repeatable)
        except DATABASE_ERRORS as error:
            _observe_postgresql("statement", postgresql_outcome(error), began)
            raise
        Measured.metrics.postgresql["statement", "ok"].observe(time.perf_counter() - began)
        return cursor

    def commit(self) -> None:
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            super().commit()
            return
        with observe_postgresql("commit"):
            super().commit()


class MeasuredEngine(Engine):
    def raw_connection(self) -> Any:
        with observe_postgresql("checkout"):
            return super().raw_connection()


def postgresql_outcome(error: BaseException) -> str:
    """``timeout``; ``conflict`` with a concurrent transaction; ``unavailable``; ``rejected``, as by
    a constraint."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, _TIMEOUTS):
        return "timeout"
    if isinstance(cause, CONCURRENCY_ERRORS):
        return "conflict"
    if isinstance(cause, (psycopg.OperationalError, pg.ReadOnlySqlTransaction)):
        return "unavailable"
    return "rejected"


def measure_aws(client: Any, service: str, metrics: Metrics) -> None:
    """Measure the calls of a client of AWS, by botocore's events:
    https://docs.aws.amazon.com/boto3/latest/guide/events.html"""

    def before_call(model: Any, context: dict[str, Any], **_options: Any) -> None:
        context["jobtracker.began"] = model.name, time.perf_counter()

    def observe(context: dict[str, Any], outcome: str) -> None:
        if (found := context.pop("jobtracker.began", None)) is not None:
            operation, began = found
            seconds = time.perf_counter() - began
            metrics.gateways[service, operation, outcome].observe(seconds)

    def after_call(parsed: dict[str, Any], context: dict[str, Any], **_options: Any) -> None:
        observe(context, aws_outcome(parsed))

    def after_call_error(exception: Exception, context: dict[str, Any], **_options: Any) -> None:
        observe(context, aws_exception_outcome(exception))

    client.meta.events.register("before-call", before_call)
    client.meta.events.register("after-call", after_call)
    client.meta.events.register("after-call-error", after_call_error)


def aws_outcome(parsed: dict[str, Any]) -> str:
    """Of a response as botocore parses it."""
    status = parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", 200)
    if status < 300:
        return "ok"
    if status == 429 or parsed.get("Error", {}).get("Code") in THROTTLING:
        return "throttled"
    return "rejected" if status < 500 else "failed"


def aws_exception_outcome(exception: Exception) -> str:
    if isinstance(
        exception, botocore_errors.ConnectTimeoutError | botocore_errors.ReadTimeoutError
    ):
        return "timeout"
    is_connection = isinstance(
        exception, botocore_errors.ConnectionError | botocore_errors.HTTPClientError
    )
    return "unreachable" if is_connection else "failed"


class MeasuredTurnstile(Turnstile):
    def check(self, token: str) -> None:
        began = time.perf_counter()
        outcome = "failed"
        try:
            super().check(token)
            outcome = "ok"
        except BadRequest:
            outcome = "rejected"
            raise
        finally:
            seconds = time.perf_counter() - began
            Measured.metrics.gateways["turnstile", "siteverify", outcome].observe(seconds)


class MeasuredJWKSClient(JsonClient):
    def request(self, method: str, url: str, data: Any = None) -> tuple[int, Any]:
        began = time.perf_counter()
        outcome = "failed"
        try:
            status, document = super().request(method, url, data)
            outcome = "ok" if status == 200 else "failed"
            return status, document
        finally:
            seconds = time.perf_counter() - began
            Measured.metrics.gateways["cognito", "JWKS", outcome].observe(seconds)


class MeasuredAccessTokens(AccessTokens):
    def _decode(self, token: str) -> dict[str, Any]:
        outcome = "invalid"
        try:
            claims = super()._decode(token)
            outcome = "valid"
            return claims
        except Unavailable:
            outcome = "unavailable"
            raise
        finally:
            Measured.metrics.token_verifications[outcome,].inc()


class MeasuredResponseCache(ResponseCache):
    def get(self, tag: str) -> CachedResponse | None:
        found = super().get(tag)
        Measured.metrics.cache_lookups["miss" if found is None else "hit",].inc()
        return found


class MeasuredRateLimiter(RateLimiter):
    def hit(self, rate: Any, name: str, key: str) -> float:
        wait = super().hit(rate, name, key)
        if wait:
            Measured.metrics.rate_limited[name,].inc()
        return wait


class MeasuredMemoryRateLimiter(MemoryRateLimiter):
    def count(self, key: str, setting: str = REQUESTS_BY_USER) -> None:
        try:
            super().count(key, setting)
        except RateLimited:
            Measured.metrics.rate_limited[setting,].inc()
            raise
