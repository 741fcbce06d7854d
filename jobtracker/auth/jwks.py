"""The public keys of a user pool, fetched as seldom as can be.

PyJWT's own client waits between fetches only after one that succeeded, and fetches behind a lock
that all need: while Cognito is slow or gone, one made-up token would keep everybody waiting.
"""

import json
import logging
import threading
import time
from collections.abc import Callable

import jwt
import urllib3

from jobtracker.aws import USUAL_TIMEOUTS, Timeouts
from jobtracker.errors import Unavailable

log = logging.getLogger(__name__)

# Seconds. Cognito rotates its keys seldom.
TTL = 24 * 3600
# Between two attempts to fetch, whatever came of the first: when there are keys, and when not.
COOLDOWN = 30
COOLDOWN_WITHOUT_KEYS = 5


class JWKSCache:
    """The keys at a JWKS URL (RFC 7517), by their id. It can be shared by all threads.

    :param clock: seconds, for tests
    """

    def __init__(
        self,
        url: str,
        timeouts: Timeouts = USUAL_TIMEOUTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url
        self.clock = clock
        self.http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=timeouts.connect, read=timeouts.read), retries=False
        )
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetching = threading.Lock()
        self._attempted = self._succeeded = -float("inf")

    def get(self, key_id: str) -> jwt.PyJWK | None:
        """The key of that id, or None when the pool has no such key.

        :raises Unavailable: when that cannot be found out
        """
        key = self._keys.get(key_id)
        if key is None or self.clock() - self._succeeded > TTL:
            self._refresh()
            key = self._keys.get(key_id)
        if key is None and self._succeeded < self._attempted:
            raise Unavailable
        return key

    def _refresh(self) -> None:
        # Who has keys does not wait for others who fetch; who has none can do nothing else.
        if not self._fetching.acquire(blocking=not self._keys):
            return
        try:
            now = self.clock()
            if now - self._attempted >= (COOLDOWN if self._keys else COOLDOWN_WITHOUT_KEYS):
                self._attempted = now
                self._keys = self._fetch()
                self._succeeded = now
        except (urllib3.exceptions.HTTPError, jwt.PyJWTError, ValueError, TypeError) as error:
            log.error("The keys of the user pool cannot be had: %s", type(error).__name__)
        finally:
            self._fetching.release()

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        answer = self.http.request("GET", self.url, redirect=False)
        if answer.status != 200:
            raise ValueError(answer.status)
        document = json.loads(answer.data)
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")
        keys = jwt.PyJWKSet.from_dict(document).keys
        return {key.key_id: key for key in keys if key.key_id is not None}
