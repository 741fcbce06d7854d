"""Errors without a request."""

import pytest

from jobtracker.errors import RateLimited


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
