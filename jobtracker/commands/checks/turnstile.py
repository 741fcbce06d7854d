"""Turnstile: whether siteverify answers, and knows the secret."""

from collections.abc import Iterator, Mapping
from typing import Any

import requests

from jobtracker.auth.turnstile import TOKEN_ERRORS, Turnstile
from jobtracker.aws import Timeouts
from jobtracker.commands.checks import Result, error, ok, warning

SECRET, URL = "turnstile.secret", "turnstile.url"
SUBJECT = "Turnstile"


def check(settings: Mapping[str, Any]) -> Iterator[Result]:
    """Verify a token that no widget made: only the secret can be wrong, or the token."""
    secret = settings[SECRET]
    if secret is None:
        yield warning(SUBJECT, SECRET, "is empty: sign-up is 503")
        return
    turnstile = Turnstile(settings[URL], secret, Timeouts.from_settings(settings))
    form = {"secret": secret, "response": "jobtracker-check"}
    try:
        status, result = turnstile.http.request("POST", turnstile.url, form)
        success, codes = result["success"], set(map(str, result.get("error-codes", ())))
    except (requests.RequestException, ValueError, TypeError, KeyError) as problem:
        yield error(SUBJECT, URL, f"{type(problem).__name__}: no answer of siteverify")
        return
    if success is True:
        yield error(SUBJECT, SECRET, "accepts any token: it is a secret for tests")
    elif any("input-secret" in code for code in codes):
        yield error(SUBJECT, SECRET, "is not that of the widget")
    elif not codes <= TOKEN_ERRORS:
        yield error(SUBJECT, URL, f"HTTP status {status}: {', '.join(sorted(codes))}")
    else:
        yield ok(SUBJECT, SECRET, "accepted")
