"""Errors without a request."""

from pathlib import Path

import psycopg
import pytest

from jobtracker import errors
from jobtracker.errors import RateLimited
from jobtracker.logs import outages

PACKAGE = Path(errors.__file__).parent


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "Please wait a moment."),
        (60, "Please wait a moment."),
        (61, "Please try again in 2 minutes."),
        (3600, "Please try again in 60 minutes."),
        (7199, "Please try again in 2 hours."),
        (86_400, "Please try again in 24 hours."),
    ],
)
def test_message_says_how_long_to_wait(seconds: int | None, expected: str):
    assert RateLimited(limit="x", retry_after=seconds).message == f"Too many requests. {expected}"
    assert RateLimited("Another.", limit="x", retry_after=seconds).message == "Another."


def call_through(*files: str) -> None:
    """Raise an error of psycopg in the last of these files, which is called by those before."""
    if not files:
        raise psycopg.OperationalError("lost")
    code = compile("call(*files)", files[0], "exec")
    exec(code, {"call": call_through, "files": files[1:]})  # noqa: S102


def test_outage_is_logged_with_the_place_that_executed_the_statement(
    caplog: pytest.LogCaptureFixture,
):
    own = [str(PACKAGE / name) for name in ("jobs/queries.py", "metrics/x.py", "db/y.py")]
    others = "/opt/jobtracker/.venv/lib/sqlalchemy/z.py"
    outages.forget()
    try:
        call_through(*own, others)
    except psycopg.OperationalError as error:
        errors.database_unavailable(error, None)
    assert "Database: psycopg.OperationalError: lost (jobs/queries.py:1)" in caplog.text
