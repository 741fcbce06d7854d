"""The outcomes of calls of other systems, as labels."""

from typing import Any

import psycopg
import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from psycopg import errors as pg
from sqlalchemy import exc as sqlalchemy_exc

from jobtracker.db.engine import ConnectionLost, ResponseTimeout
from jobtracker.metrics.instrumentation import (
    aws_exception_outcome,
    aws_outcome,
    postgresql_outcome,
)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (pg.UniqueViolation(), "rejected"),
        (pg.DataError(), "rejected"),
        (pg.QueryCanceled(), "timeout"),
        (pg.LockNotAvailable(), "timeout"),
        (ResponseTimeout(), "timeout"),
        (sqlalchemy_exc.TimeoutError(), "timeout"),
        (pg.DeadlockDetected(), "conflict"),
        (pg.SerializationFailure(), "conflict"),
        (ConnectionLost(), "unavailable"),
        (pg.AdminShutdown(), "unavailable"),
        (pg.ReadOnlySqlTransaction(), "unavailable"),
        (psycopg.OperationalError(), "unavailable"),
        (sqlalchemy_exc.OperationalError("", None, pg.TooManyConnections()), "unavailable"),
    ],
)
def test_outcome_of_an_error_of_postgresql(error: Exception, outcome: str):
    assert postgresql_outcome(error) == outcome


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (200, None, "ok"),
        (204, None, "ok"),
        (404, "404", "rejected"),
        (412, "PreconditionFailed", "rejected"),
        (400, "NotAuthorizedException", "rejected"),
        (400, "TooManyRequestsException", "throttled"),
        (503, "SlowDown", "throttled"),
        (429, "Other", "throttled"),
        (500, "InternalErrorException", "failed"),
    ],
)
def test_outcome_of_a_response_of_aws(status: int, code: str | None, outcome: str):
    parsed: dict[str, Any] = {"ResponseMetadata": {"HTTPStatusCode": status}}
    if code:
        parsed["Error"] = {"Code": code}
    assert aws_outcome(parsed) == outcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConnectTimeoutError(endpoint_url="x"), "timeout"),
        (ReadTimeoutError(endpoint_url="x"), "timeout"),
        (EndpointConnectionError(endpoint_url="x"), "unreachable"),
        (NoCredentialsError(), "failed"),
    ],
)
def test_outcome_without_a_response_of_aws(error: Exception, outcome: str):
    assert aws_exception_outcome(error) == outcome
