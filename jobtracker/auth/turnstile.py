"""Cloudflare Turnstile: whether a person fills in the form.

https://developers.cloudflare.com/turnstile/get-started/server-side-validation/
"""

import json
import logging

import urllib3

from jobtracker.aws import USUAL_TIMEOUTS, Timeouts
from jobtracker.errors import BadRequest, Unavailable

log = logging.getLogger(__name__)

# Connections that are kept open: as many as a process has threads, or so.
CONNECTIONS = 16

# Error codes that speak of the visitor's token. All others are faults of ours or of Cloudflare's.
OF_THE_TOKEN = {"missing-input-response", "invalid-input-response", "timeout-or-duplicate"}


class Turnstile:
    """Asks Cloudflare. Without a secret nobody can be let in: it fails closed."""

    def __init__(self, url: str, secret: str | None, timeouts: Timeouts = USUAL_TIMEOUTS) -> None:
        self.url = url
        self.secret = secret
        self.http = urllib3.PoolManager(
            maxsize=CONNECTIONS,
            timeout=urllib3.Timeout(connect=timeouts.connect, read=timeouts.read),
            retries=False,
        )

    def check(self, token: str) -> None:
        """Return when the token is a person's.

        :raises BadRequest: CAPTCHA_FAILED, when it is not
        :raises Unavailable: when that cannot be found out
        """
        if not self.secret:
            log.error("turnstile.secret is not set: nobody can sign up")
            raise Unavailable
        try:
            response = self.http.request(
                "POST",
                self.url,
                fields={"secret": self.secret, "response": token},
                encode_multipart=False,
            )
            verdict = json.loads(response.data)
            passed, codes = verdict["success"], set(verdict.get("error-codes", ()))
        except (urllib3.exceptions.HTTPError, ValueError, TypeError, KeyError) as error:
            log.error("Turnstile cannot be asked: %s", type(error).__name__)
            raise Unavailable from None
        if passed is True:
            return
        if not codes <= OF_THE_TOKEN:
            log.error("Turnstile does not judge: %s", sorted(codes))
            raise Unavailable
        raise BadRequest(
            "We could not tell that you are a person. Please try again.",
            details={"code": "CAPTCHA_FAILED"},
        )
