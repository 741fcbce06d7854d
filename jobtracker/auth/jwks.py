"""A cache of the public keys of a user pool (JWKS, RFC 7517)."""

import logging
import threading
import time
from collections.abc import Callable

import jwt
import requests

from jobtracker.auth.http_client import JsonClient
from jobtracker.aws import Timeouts
from jobtracker.errors import Unavailable
from jobtracker.logs.outages import log_outage

log = logging.getLogger(__name__)

TTL = 24 * 3600  # seconds until the keys are fetched again; Cognito rotates them rarely
# Seconds between two attempts to fetch them, successful or not.
COOLDOWN = 30
COOLDOWN_WITHOUT_KEYS = 5


class UnexpectedStatus(ValueError):
    """The response of the JWKS URL has another status than 200, or is no JSON object."""


class JWKSCache:
    """The keys of a JWKS URL by key id; it can be shared by all threads.

    Keys stay valid for as long as they cannot be fetched again.

    :param on_withdrawal: called when a key is no longer in the JWKS
    """

    def __init__(self, url: str, timeouts: Timeouts, on_withdrawal: Callable[[], None]) -> None:
        self.url = url
        self.on_withdrawal = on_withdrawal
        self.clock = time.monotonic
        self.http = JsonClient(timeouts)
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetch_lock = threading.Lock()
        self._attempted_at = self._fetched_at = -float("inf")

    def get(self, key_id: str) -> jwt.PyJWK | None:
        """Return the key with this id, or None when the JWKS has no such key; Unavailable when the
        key is not cached and the last attempt to fetch failed."""
        key = self._keys.get(key_id)
        if key is None or self.clock() - self._fetched_at > TTL:
            self._refresh()
            key = self._keys.get(key_id)
        if key is None and self._fetched_at < self._attempted_at:
            raise Unavailable
        return key

    def _refresh(self) -> None:
        # With keys in the cache, do not wait for the thread that is fetching.
        if not self._fetch_lock.acquire(blocking=not self._keys):
            return
        try:
            now = self.clock()
            if now - self._attempted_at >= (COOLDOWN if self._keys else COOLDOWN_WITHOUT_KEYS):
                self._attempted_at = now
                before, self._keys = self._keys, self._fetch()
                self._fetched_at = now
                if before.keys() - self._keys.keys():
                    self.on_withdrawal()
        except (requests.RequestException, jwt.PyJWTError, ValueError, TypeError) as error:
            reason = error if isinstance(error, UnexpectedStatus) else type(error).__name__
            hint = "cognito.user_pool_id, cognito.region or cognito.endpoint_url, if this persists"
            log_outage(log, "Cognito", "The JWKS of the user pool: %s: %s", reason, hint)
        finally:
            self._fetch_lock.release()

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        status, document = self.http.request("GET", self.url)
        if status != 200 or not isinstance(document, dict):
            raise UnexpectedStatus(f"HTTP status {status}")
        keys = jwt.PyJWKSet.from_dict(document).keys
        return {key.key_id: key for key in keys if key.key_id is not None}
