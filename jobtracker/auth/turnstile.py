"""Cloudflare Turnstile, the CAPTCHA of the sign-up form.

https://developers.cloudflare.com/turnstile/get-started/server-side-validation/
"""

import logging
from typing import Any

import requests

from jobtracker.auth.http_client import JsonClient
from jobtracker.aws import DEFAULT_TIMEOUTS, Timeouts
from jobtracker.environment import read_again
from jobtracker.errors import BadRequest, Unavailable
from jobtracker.logs.outages import log_outage

log = logging.getLogger(__name__)

# Error codes about the visitor's token; all others are errors of configuration or of Cloudflare.
TOKEN_ERRORS = {"missing-input-response", "invalid-input-response", "timeout-or-duplicate"}


class Turnstile:
    """Verifies Turnstile tokens. Without a secret every token fails."""

    def __init__(self, url: str, secret: str | None, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        self.url, self.secret = url, secret
        self.http = JsonClient(timeouts)

    def check(self, token: str) -> None:
        """Verify a token; BadRequest (CAPTCHA_FAILED) when Cloudflare rejects it, Unavailable when
        no secret is configured, or Cloudflare does not respond properly."""
        if not self.secret:
            log_outage(log, "Turnstile", "turnstile.secret is not set: sign-up is not possible")
            raise Unavailable
        rejected = self.secret
        success, codes = self._verify(rejected, token)
        is_secret = any("input-secret" in code for code in codes)
        if is_secret and (secret := read_again(rejected)) != rejected:  # it was rotated
            self.secret = secret
            success, codes = self._verify(secret or "", token)
        if success is not True:
            if not codes <= TOKEN_ERRORS:
                hint = ": turnstile.secret is not that of the widget" if is_secret else ""
                log_outage(log, "Turnstile", "Turnstile: %s%s", ", ".join(sorted(codes)), hint)
                raise Unavailable
            message = "We could not tell that you are a person. Please try again."
            raise BadRequest(message, details={"code": "CAPTCHA_FAILED"})

    def _verify(self, secret: str, token: str) -> tuple[Any, set[str]]:
        """Cloudflare's ``success`` and ``error-codes``."""
        try:
            form = {"secret": secret, "response": token}
            _status, result = self.http.request("POST", self.url, form)
            return result["success"], set(map(str, result.get("error-codes", ())))
        except (requests.RequestException, ValueError, TypeError, KeyError) as error:
            reason = "Turnstile: %s (turnstile.url, if this persists)"
            log_outage(log, "Turnstile", reason, type(error).__name__)
            raise Unavailable from None
